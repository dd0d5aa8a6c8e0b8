package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// columns are the properties of a table row. A struct becomes one column per
// field, by the field's name, nested structs flattened ("WantedVersion"):
//
//	string            Edm.String
//	bool              Edm.Boolean
//	integers          Edm.Int64, always: Azurite fails on a filter over mixed types
//	time.Time         Edm.String in timeLayout, which sorts; "" = zero
//	Version           Edm.String, as Version.String
//	map, pointer      Edm.String holding JSON; "" = none. What a pointer points to
//	                  is written and removed as a whole, so it is one column
//	                  and no part of it can outlive the rest
//	[]byte            chunks, see packed
//
// Names and types are stored in customers' tables: a field may be added, never
// renamed or given another type (R40). A missing column is the zero value.
type columns map[string]any

// timeLayout is RFC 3339 in UTC at a fixed width: it sorts as text.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

const (
	// maxText is the longest text, in bytes, that stays in its column: a string
	// property holds 64 KiB in UTF-16.
	maxText = 30_000
	// maxChunk is the size of a chunk: a binary property holds 64 KiB.
	maxChunk = 60_000
	// packedMark begins the text that stands in a column for chunks and ends
	// with their number.
	packedMark = "gzip+chunks:"
)

// etagField is no column: the service keeps it.
const etagField = "ETag"

var (
	timeType    = reflect.TypeFor[time.Time]()
	versionType = reflect.TypeFor[appointment.Version]()
)

// encode returns the columns of a canonical struct, the empty ones too.
func encode(v any) (columns, error) {
	c := columns{}
	if err := c.encode("", reflect.ValueOf(v).Elem()); err != nil {
		return nil, err
	}
	return c, nil
}

func (c columns) encode(prefix string, v reflect.Value) error {
	for i := range v.NumField() {
		name, f := prefix+v.Type().Field(i).Name, v.Field(i)
		switch {
		case name == etagField:
		case f.Type() == timeType:
			c[name] = timeText(f.Interface().(time.Time))
		case f.Type() == versionType:
			c[name] = f.Interface().(appointment.Version).String()
		case f.Kind() == reflect.Struct:
			if err := c.encode(name, f); err != nil {
				return err
			}
		case f.Kind() == reflect.String:
			c.text(name, f.String())
		case f.Kind() == reflect.Bool:
			c[name] = f.Bool()
		case f.CanInt():
			c[name] = aztables.EDMInt64(f.Int())
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8:
			c.packed(name, f.Bytes())
			c.vacate(name)
		case f.Kind() == reflect.Map || f.Kind() == reflect.Pointer:
			if f.IsNil() {
				c[name] = ""
				continue
			}
			text, err := json.Marshal(f.Interface())
			if err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
			c.text(name, string(text))
		default:
			return fmt.Errorf("column %s: a %s has no place in a table", name, f.Type())
		}
	}
	return nil
}

// text stores a text in its column, or packed if it is too long for one or
// reads like the mark.
func (c columns) text(name, s string) {
	if len(s) <= maxText && !strings.HasPrefix(s, packedMark) {
		c[name] = s
		return
	}
	c.packed(name, []byte(s))
}

// packed stores b compressed in the columns name_0, name_1, ... and their
// number in name. An empty b is an empty text.
func (c columns) packed(name string, b []byte) {
	if len(b) == 0 {
		c[name] = ""
		return
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b) // a bytes.Buffer takes everything
	w.Close()
	n := 0
	for ; z.Len() > 0; n++ {
		c[chunk(name, n)] = aztables.EDMBinary(bytes.Clone(z.Next(maxChunk)))
	}
	c[name] = packedMark + strconv.Itoa(n)
}

// maxChunks is more than a row of 1 MiB holds.
const maxChunks = 18

// vacate empties the chunks of name that are not in use: a merge into a row that was
// longer would leave them, and with them words that are to be forgotten.
func (c columns) vacate(name string) {
	for n := range maxChunks {
		if _, used := c[chunk(name, n)]; !used {
			c[chunk(name, n)] = aztables.EDMBinary{}
		}
	}
}

func chunk(name string, n int) string { return name + "_" + strconv.Itoa(n) }

// chunkOf returns the column whose chunk the name is of, or "".
func chunkOf(name string) string {
	base, n, _ := strings.Cut(name, "_")
	if _, err := strconv.Atoi(n); err != nil {
		return ""
	}
	return base
}

// decode sets the fields of the struct that v points to.
func (c columns) decode(v any) error { return c.decodeInto("", reflect.ValueOf(v).Elem()) }

func (c columns) decodeInto(prefix string, v reflect.Value) error {
	for i := range v.NumField() {
		name, f := prefix+v.Type().Field(i).Name, v.Field(i)
		var err error
		switch {
		case name == etagField:
		case f.Kind() == reflect.Struct && f.Type() != timeType && f.Type() != versionType:
			err = c.decodeInto(name, f)
		case c[name] == nil:
		case f.Kind() == reflect.Bool:
			b, ok := c[name].(bool)
			if f.SetBool(b); !ok {
				err = fmt.Errorf("column %s is no boolean", name)
			}
		case f.CanInt():
			err = c.decodeInt(name, f)
		default:
			err = c.decodeText(name, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c columns) decodeInt(name string, f reflect.Value) error {
	switch n := c[name].(type) {
	case aztables.EDMInt64:
		f.SetInt(int64(n))
	case int32:
		f.SetInt(int64(n))
	default:
		return fmt.Errorf("column %s is no integer", name)
	}
	return nil
}

func (c columns) decodeText(name string, f reflect.Value) error {
	b, err := c.bytes(name)
	if err != nil || len(b) == 0 {
		return err
	}
	switch {
	case f.Type() == timeType:
		var t time.Time
		t, err = time.Parse(time.RFC3339Nano, string(b))
		f.Set(reflect.ValueOf(instant(t)))
	case f.Type() == versionType:
		var v appointment.Version
		v, err = appointment.ParseVersion(string(b))
		f.Set(reflect.ValueOf(v))
	case f.Kind() == reflect.String:
		f.SetString(string(b))
	case f.Kind() == reflect.Slice:
		f.SetBytes(b)
	default:
		err = json.Unmarshal(b, f.Addr().Interface())
	}
	if err != nil {
		// Not the cause: it would quote what the column holds.
		return fmt.Errorf("column %s can not be read as a %s", name, f.Type())
	}
	return nil
}

// bytes returns the text of a column, unpacked.
func (c columns) bytes(name string) ([]byte, error) {
	s, ok := c[name].(string)
	if !ok {
		return nil, fmt.Errorf("column %s is no text", name)
	}
	count, ok := strings.CutPrefix(s, packedMark)
	if !ok {
		return []byte(s), nil
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil, fmt.Errorf("column %s does not say how many chunks it has", name)
	}
	var z bytes.Buffer
	for i := range n {
		b, _ := c[chunk(name, i)].(aztables.EDMBinary)
		z.Write(b)
	}
	r, err := gzip.NewReader(&z)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", name, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", name, err)
	}
	return b, nil
}

// filled returns the columns that are not empty, all that a new row needs.
func (c columns) filled() columns {
	out := columns{}
	for name, v := range c {
		if !empty(v) {
			out[name] = v
		}
	}
	return out
}

// changes returns what has to be merged into a row with the columns old to
// make it say what c says: the columns that differ, explicitly empty where c's
// are, and the chunks that are not in use any more emptied. Columns of old that
// c does not know stay as they are (R40).
func (c columns) changes(old columns) columns {
	out := columns{}
	for name, v := range c {
		if was, ok := old[name]; ok && reflect.DeepEqual(was, v) || !ok && empty(v) {
			continue
		}
		out[name] = v
	}
	for name, v := range old {
		if _, used := c[name]; used || empty(v) {
			continue
		}
		if _, known := c[chunkOf(name)]; known {
			out[name] = aztables.EDMBinary{}
		}
	}
	return out
}

// merged returns old with the columns of c over it.
func (c columns) merged(old columns) columns {
	out := maps.Clone(old)
	if out == nil {
		out = columns{}
	}
	maps.Copy(out, c.changes(old))
	return out
}

func empty(v any) bool {
	if b, ok := v.(aztables.EDMBinary); ok {
		return len(b) == 0
	}
	return v == nil || reflect.ValueOf(v).IsZero()
}

// size returns about how many bytes the service counts for the columns.
func (c columns) size() int {
	n := 0
	for name, v := range c {
		n += 2*len(name) + 8
		switch v := v.(type) {
		case string:
			n += 2 * len([]rune(v))
		case aztables.EDMBinary:
			n += len(v)
		}
	}
	return n
}
