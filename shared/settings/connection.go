package settings

import (
	"net/url"
	"strings"
)

// connection is a parsed connection string; names in lower case. Nothing of it
// may enter an error.
type connection map[string]string

func parseConnection(s string) connection {
	c := connection{}
	for part := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok {
			c[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return c
}

// busConnection checks the connection string of Service Bus. The emulator form
// speaks plain AMQP, so it is held to the rule for plain http.
func (l *loader) busConnection(s string) {
	c := parseConnection(s)
	endpoint, err := url.Parse(c["endpoint"])
	if err != nil || endpoint.Scheme != "sb" || endpoint.Hostname() == "" {
		l.problem(nameServiceBus, "has no Endpoint=sb://host", "copy the connection string as it is")
		return
	}
	if c["sharedaccesskey"] == "" && c["sharedaccesssignature"] == "" {
		l.problem(nameServiceBus, "has neither SharedAccessKey nor SharedAccessSignature", "copy the connection string as it is, or use "+nameServiceBusNamespace)
	}
	if c["entitypath"] != "" {
		l.problem(nameServiceBus, "is that of one queue (EntityPath)", "use a connection string of the namespace: the app sends to three queues")
	}
	if strings.EqualFold(c["usedevelopmentemulator"], "true") {
		l.plain(nameServiceBus, endpoint.Hostname())
	}
}

// tablesConnection checks the connection string of Table Storage.
func (l *loader) tablesConnection(s string) {
	c := parseConnection(s)
	if strings.EqualFold(c["usedevelopmentstorage"], "true") {
		// aztables does not know the short form.
		l.problem(nameTablesConnection, "is the short form for an emulator", "write the emulator's full connection string, in LOCAL_MODE only")
		return
	}
	if c["accountname"] == "" && c["tableendpoint"] == "" {
		l.problem(nameTablesConnection, "has neither AccountName nor TableEndpoint", "copy the connection string as it is")
		return
	}
	if c["tableendpoint"] == "" {
		if !strings.EqualFold(c["defaultendpointsprotocol"], "https") {
			l.problem(nameTablesConnection, "has no DefaultEndpointsProtocol=https", "copy the connection string as it is")
		}
		return
	}
	u, err := url.Parse(c["tableendpoint"])
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		l.problem(nameTablesConnection, "has a TableEndpoint that is not an address", "copy the connection string as it is")
	case u.Scheme == "http":
		l.plain(nameTablesConnection, u.Hostname())
	}
}

// plain adds a problem unless an unencrypted connection to host is allowed.
func (l *loader) plain(name, host string) {
	if !l.local {
		l.problem(name, "is that of an emulator, without encryption", "use the real service; LOCAL_MODE alone allows emulators")
	} else if !isLoopback(host) {
		l.problem(name, "is unencrypted and names another machine", "LOCAL_MODE allows loopback addresses only")
	}
}
