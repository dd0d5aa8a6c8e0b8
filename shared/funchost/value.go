package funchost

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// The host encodes a value by its .NET type: bytes as base64 text, dates as
// text, what can be an object as one, and everything else as JSON inside a
// JSON string ("\"m1\"", "7"). Its documentation and older versions show some
// of them encoded once. So all forms are taken.

// unquote returns the text of a JSON string.
func unquote(raw []byte) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil
}

func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// textOf returns a value as text, whether it was encoded once or twice;
// numbers and booleans as JSON writes them; "" for null.
func textOf(raw json.RawMessage) string {
	if isNull(raw) {
		return ""
	}
	once, ok := unquote(raw)
	if !ok {
		return string(raw)
	}
	if twice, ok := unquote([]byte(once)); ok {
		return twice
	}
	return once
}

func numberOf(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(textOf(raw), 10, 64)
	return n, err == nil
}

// timeLayouts are those of the host: with a zone, without one (which means
// UTC), and as a date looks that leaked from a body.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "01/02/2006 15:04:05"}

// timeOf returns a time in UTC; .NET's smallest date stands for none.
func timeOf(raw json.RawMessage) (time.Time, bool) {
	text := textOf(raw)
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			if t.Year() <= 1 {
				return time.Time{}, true
			}
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// objectOf returns an object, also one that was encoded as a string.
func objectOf(raw json.RawMessage) (o object, ok bool) {
	return o, !isNull(raw) && json.Unmarshal([]byte(textOf(raw)), &o) == nil
}

// bodyOf returns a message's body. It is exact where function.json says
// dataType binary: base64 then. Everything else came as text, through which
// bytes that are no UTF-8 are lost. Text that happens to be base64 is only
// mistaken for it if it was encoded once, which the host does not do.
func bodyOf(raw json.RawMessage) (body []byte, asText bool) {
	if isNull(raw) {
		return nil, false
	}
	once, ok := unquote(raw)
	if !ok {
		return raw, true
	}
	if twice, ok := unquote([]byte(once)); ok {
		return []byte(twice), true
	}
	if !strings.ContainsAny(once, "\r\n") { // which the decoder would skip
		if body, err := base64.StdEncoding.Strict().DecodeString(once); err == nil {
			return body, false
		}
	}
	return []byte(once), true
}
