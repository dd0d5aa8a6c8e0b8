package servicebus

import (
	"strings"
)

const (
	cbsNode          = "$cbs"
	managementSuffix = "/$management"
)

// node is what a link address names.
type node struct {
	entity     string // queue or dead-letter queue; "" for $cbs
	cbs        bool
	management bool
}

// parseAddress reads a link address in any of the forms that clients use:
// "queue" (Go, JavaScript), "/queue" (.NET), "amqps://host/queue",
// each with a sub-queue and "/$management" behind it.
func parseAddress(address string) node {
	if i := strings.Index(address, "://"); i >= 0 {
		_, address, _ = strings.Cut(address[i+3:], "/")
	}
	address = strings.Trim(address, "/")
	if strings.EqualFold(address, cbsNode) {
		return node{cbs: true}
	}
	if n := len(address) - len(managementSuffix); n >= 0 && strings.EqualFold(address[n:], managementSuffix) {
		return node{entity: address[:n], management: true}
	}
	return node{entity: address}
}
