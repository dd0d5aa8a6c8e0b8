package funchost

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// object builds a JSON object whose keys keep the order in which they were first set, as .NET's dictionaries do.
// Values are JSON text.
type object struct {
	keys   []string
	values map[string]string
}

func (o *object) set(key, value string) {
	if o.values == nil {
		o.values = map[string]string{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// setFold overwrites a key that differs in case only, keeping the key as it was.
func (o *object) setFold(key, value string) {
	for _, known := range o.keys {
		if strings.EqualFold(known, key) {
			key = known
			break
		}
	}
	o.set(key, value)
}

func (o *object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(key))
		b.WriteByte(':')
		b.WriteString(o.values[key])
	}
	b.WriteByte('}')
	return b.String()
}

// quote writes a JSON string as Newtonsoft.Json does: everything but quotes, backslashes, control characters and
// the three line ends U+0085, U+2028 and U+2029 stays as it is. Bytes that are no UTF-8 become U+FFFD.
func quote(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for _, r := range text {
		switch r {
		case '"':
			b.WriteString(`\"`)
		case '\\':
			b.WriteString(`\\`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case 0x85, 0x2028, 0x2029:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			if r < 0x20 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// twice is a string inside a string: what the host makes of each value that is no object.
func twice(text string) string { return quote(quote(text)) }

// array is a JSON array inside a string.
func array(values []string) string { return quote("[" + strings.Join(values, ",") + "]") }

// ticks writes a time with the fraction that .NET's 100 ns ticks leave, trailing zeros cut.
func ticks(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.9999999")
}

// offset is a DateTimeOffset with its fraction.
func offset(t time.Time) string { return ticks(t) + "+00:00" }

// seconds is a time without fraction, as single values in Metadata have it.
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// never is .NET's last instant: when a message without time to live expires.
var never = time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC)

func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
