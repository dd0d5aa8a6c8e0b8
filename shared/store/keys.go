package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
)

// key writes any text as a part of a PartitionKey or RowKey: tables do not
// allow / \ # ? and control characters there, the SDK doubles a ', and URLs on
// the way mind % and +. Everything but letters, digits and . - _ becomes ~ and
// two hex digits per byte, so that no two texts share a key; letter case
// counts, as in Graph's ids. A key holds 1 KiB (512 characters): of a text that
// would be longer than maxKey the end is its hash. Rows hold the texts
// themselves as columns; keys are never decoded.
func key(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	k := b.String()
	if len(k) > maxKey {
		hash := sha256.Sum256([]byte(s))
		k = k[:100] + "~~" + hex.EncodeToString(hash[:])
	}
	return k
}

const maxKey = 400

// The rows of a link's partition. | does not occur in a key's parts, and } is
// the character after it: the rows "a|..." lie between "a|" and "a}".
func linkKey(appointment string) string { return "a|" + key(appointment) }
func eventKey(event string) string      { return "e|" + key(event) }
func dueKey(appointment string) string  { return "p|" + shard + "|" + key(appointment) }

// shard is that of all index rows of due links. A target is one shard: those
// of a back office that has several are targets of their own.
const shard = "0"

const day = 24 * time.Hour

// familyKey is the partition of a family's transactions of one UTC day. The
// day counts down, so that a query over a family's partitions begins at the newest.
func familyKey(family string, at time.Time) string {
	return fmt.Sprintf("f|%s|%06d", key(family), 999_999-at.Unix()/int64(day/time.Second))
}

func historyKey(appointment string) string { return "a|" + key(appointment) }

// instantKey begins the row key of a transaction: newest first.
func instantKey(at time.Time) string { return fmt.Sprintf("%019d", math.MaxInt64-at.UnixNano()) }

// quote writes a text as a literal of an OData filter.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// between is the filter for the keys in [from, to).
func between(column, from, to string) string {
	return column + " ge " + quote(from) + " and " + column + " lt " + quote(to)
}

func partition(k string) string { return "PartitionKey eq " + quote(k) }
