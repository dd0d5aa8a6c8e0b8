package amqp

import (
	"encoding/hex"
	"fmt"
)

// Values decode into these Go types and encode from them:
//
//	null nil · boolean bool · ubyte uint8 · ushort uint16 · uint uint32 ·
//	ulong uint64 · byte int8 · short int16 · int int32 · long int64 ·
//	float float32 · double float64 · char Char · timestamp time.Time (UTC,
//	milliseconds) · uuid UUID · binary []byte · string string · symbol Symbol ·
//	list List · map Map · array Array · described Described · decimals Decimal
//
// A plain Go int encodes as long.

// Symbol is a string from a constrained, ASCII-only vocabulary.
type Symbol string

// UUID is an AMQP uuid in the byte order of RFC 4122.
type UUID [16]byte

// String gives the usual form with four hyphens.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// GUIDBytes gives the byte order in which .NET writes a Guid, which is how
// Service Bus puts a lock token into a delivery tag. The conversion is its own
// inverse.
func (u UUID) GUIDBytes() [16]byte {
	return [16]byte{u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6],
		u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]}
}

// Char is one Unicode code point.
type Char uint32

// Decimal is a decimal32, 64 or 128 in its wire form: 4, 8 or 16 bytes.
type Decimal []byte

// List is an AMQP list.
type List []any

// Array holds values of one type. An empty array encodes as an empty list,
// since its element type is not known.
type Array []any

// Entry is one pair of a Map.
type Entry struct{ Key, Value any }

// Map is an AMQP map that keeps its order.
type Map []Entry

// Get returns the value under a key that is a string or symbol of this text.
func (m Map) Get(key string) any {
	for _, e := range m {
		if Text(e.Key) == key {
			return e.Value
		}
	}
	return nil
}

// With returns the map with the key set to the value, in place of any other of
// the same text. The receiver is not changed.
func (m Map) With(key, value any) Map {
	out := make(Map, 0, len(m)+1)
	for _, e := range m {
		if Text(e.Key) != Text(key) {
			out = append(out, e)
		}
	}
	return append(out, Entry{key, value})
}

// Described is a value with a descriptor: a ulong code or a symbol.
type Described struct{ Descriptor, Value any }

// Code returns the numeric descriptor, or 0 if it is a symbol.
func (d Described) Code() uint64 {
	code, _ := d.Descriptor.(uint64)
	return code
}

// Text returns a string or symbol as a Go string, and "" for all else.
func Text(v any) string {
	switch s := v.(type) {
	case string:
		return s
	case Symbol:
		return string(s)
	}
	return ""
}

// Int returns any integer type as int64; false if v is none or does not fit.
func Int(v any) (int64, bool) {
	switch n := v.(type) {
	case int8:
		return int64(n), true
	case int16:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case int:
		return int64(n), true
	case uint8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case uint64:
		return int64(n), n <= 1<<63-1
	}
	return 0, false
}

// Items returns the elements of a list or array.
func Items(v any) []any {
	switch l := v.(type) {
	case List:
		return l
	case Array:
		return l
	}
	return nil
}
