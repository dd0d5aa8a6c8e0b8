package funchost

import (
	"strings"
)

// decodePath unescapes a request's path as Kestrel does: an escaped slash stays escaped, dot segments are resolved.
// It is false for a path that Kestrel refuses.
func decodePath(raw string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]) {
			if decoded := unhex(raw[i+1])<<4 | unhex(raw[i+2]); decoded != '/' {
				c = decoded
				i += 2
			}
		} else if c >= 0x80 {
			return "", false
		}
		if c == 0 {
			return "", false
		}
		b.WriteByte(c)
	}
	return resolveDots(b.String()), true
}

func resolveDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		last := i == len(parts)-1
		switch part {
		case ".", "..":
			if part == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, part)
		}
	}
	return "/" + strings.Join(out, "/")
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// encodePath escapes a decoded path for the handler. What was an escaped slash gets its percent sign escaped: %252F.
func encodePath(path string) string {
	return escape(path, unreserved+"/!$&'()*+,;=:@")
}

// encodeQuery passes a query on as .NET's Uri does: needless escapes are undone, others kept, and what is not
// allowed is escaped.
func encodeQuery(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]) {
			if c := unhex(raw[i+1])<<4 | unhex(raw[i+2]); strings.IndexByte(unreserved, c) >= 0 {
				b.WriteByte(c)
			} else {
				b.WriteString(raw[i : i+3])
			}
			i += 2
			continue
		}
		b.WriteString(escape(raw[i:i+1], unreserved+"/!$&'()*+,;=:@?[]"))
	}
	return b.String()
}

func escape(text, allowed string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; strings.IndexByte(allowed, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
