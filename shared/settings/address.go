package settings

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// cloud is one of Microsoft's clouds: the hosts of Graph and of Entra ID.
// https://learn.microsoft.com/graph/deployments
type cloud struct {
	name   string
	graph  string
	logins []string
}

var clouds = []cloud{
	{"global", "graph.microsoft.com", []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com"}},
	{"US Government L4", "graph.microsoft.us", []string{"login.microsoftonline.us"}},
	{"US Government L5 (DoD)", "dod-graph.microsoft.us", []string{"login.microsoftonline.us"}},
	{"China (21Vianet)", "microsoftgraph.chinacloudapi.cn", []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}},
}

// address reads a setting that is the address of a service, and returns it
// without a slash at its end; an address with a problem is returned as "".
func (l *loader) address(name string) string {
	v := l.get(name)
	if v == "" {
		l.problem(name, "is missing", "give the address")
		return ""
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		l.problem(name, "is not an address", "write it as https://host/path")
		return ""
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(v, "?#"):
		l.problem(name, "holds more than host and path", "remove user, password, query and fragment")
		return ""
	case u.Scheme == "http" && !l.local:
		l.problem(name, "is plain http", "write an https address; plain http is for loopback addresses in LOCAL_MODE only")
		return ""
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		l.problem(name, "is plain http to another machine", "write an https address; LOCAL_MODE allows plain http to loopback addresses only")
		return ""
	}
	return strings.TrimRight(v, "/")
}

// cloud reads the addresses of Graph and of Entra ID: both of one of
// Microsoft's clouds, or in LOCAL_MODE of this machine. A token or a client
// secret goes nowhere else.
func (l *loader) cloud() (graph, authority string) {
	graph, authority = l.address(nameGraphURL), l.address(nameAuthorityURL)
	if graph == "" || authority == "" {
		return graph, authority
	}
	g, _ := url.Parse(graph)
	a, _ := url.Parse(authority)
	if g.Path != "/v1.0" {
		l.problem(nameGraphURL, "does not end with the version", "write it as "+defaultOf(nameGraphURL))
	}
	if a.Path != "" && !(l.local && isLoopback(a.Hostname())) {
		l.problem(nameAuthorityURL, "has a path", "write the host alone, as "+defaultOf(nameAuthorityURL)+"; the tenant goes to "+nameGraphTenant)
	}
	gOK, gLocal := isGraph(g), l.local && isLoopback(g.Hostname())
	aOK, aLocal := isLogin(a), l.local && isLoopback(a.Hostname())
	if !gOK && !gLocal {
		l.problem(nameGraphURL, "is not Microsoft Graph", "write the address of your cloud: "+strings.Join(graphHosts(), ", "))
	}
	if !aOK && !aLocal {
		l.problem(nameAuthorityURL, "is not Microsoft Entra ID", "write the address of your cloud: "+strings.Join(loginHosts(), ", "))
	}
	if gOK && aOK && !sameCloud(g.Hostname(), a.Hostname()) || gOK && aLocal || gLocal && aOK {
		l.problem(nameAuthorityURL, "belongs to another cloud than "+nameGraphURL, "take both from the same cloud")
	}
	return graph, authority
}

func isGraph(u *url.URL) bool {
	for _, c := range clouds {
		if isHost(u, c.graph) {
			return true
		}
	}
	return false
}

func isLogin(u *url.URL) bool {
	for _, h := range loginHosts() {
		if isHost(u, h) {
			return true
		}
	}
	return false
}

func isHost(u *url.URL, host string) bool {
	return u.Scheme == "https" && strings.EqualFold(u.Hostname(), host) && (u.Port() == "" || u.Port() == "443")
}

func sameCloud(graph, login string) bool {
	for _, c := range clouds {
		if !strings.EqualFold(c.graph, graph) {
			continue
		}
		for _, h := range c.logins {
			if strings.EqualFold(h, login) {
				return true
			}
		}
	}
	return false
}

func graphHosts() (hosts []string) {
	for _, c := range clouds {
		hosts = append(hosts, c.graph)
	}
	return hosts
}

func loginHosts() (hosts []string) {
	seen := map[string]bool{}
	for _, c := range clouds {
		for _, h := range c.logins {
			if !seen[h] {
				seen[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	return hosts
}

// isLoopback reports whether a host name can only be this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLoopbackURL takes an address with or without scheme and port.
func isLoopbackURL(address string) bool {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return isLoopback(u.Hostname())
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		return isLoopback(host)
	}
	return isLoopback(address)
}
