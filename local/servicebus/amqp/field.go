package amqp

import "fmt"

// fieldReader reads the fields of a composite type; absent fields are null.
// The first field of a wrong type is kept as err.
type fieldReader struct {
	list List
	err  error
}

func (f *fieldReader) any(i int) any {
	if i >= len(f.list) {
		return nil
	}
	return f.list[i]
}

func (f *fieldReader) wrong(i int, want string) {
	if f.err == nil {
		f.err = fmt.Errorf("amqp: field %d is %T, want %s", i, f.list[i], want)
	}
}

func (f *fieldReader) text(i int) string {
	switch v := f.any(i).(type) {
	case nil:
	case string:
		return v
	case Symbol:
		return string(v)
	default:
		f.wrong(i, "string")
	}
	return ""
}

func (f *fieldReader) bytes(i int) []byte {
	switch v := f.any(i).(type) {
	case nil:
	case []byte:
		return v
	default:
		f.wrong(i, "binary")
	}
	return nil
}

func (f *fieldReader) bool(i int) bool {
	switch v := f.any(i).(type) {
	case nil:
	case bool:
		return v
	default:
		f.wrong(i, "boolean")
	}
	return false
}

func (f *fieldReader) ulong(i int) uint64 {
	v := f.any(i)
	if v == nil {
		return 0
	}
	if n, ok := v.(uint64); ok {
		return n
	}
	n, ok := Int(v)
	if !ok || n < 0 {
		f.wrong(i, "unsigned number")
		return 0
	}
	return uint64(n)
}

func (f *fieldReader) uint(i int, absent uint32) uint32 {
	if f.any(i) == nil {
		return absent
	}
	n := f.ulong(i)
	if n > 1<<32-1 {
		f.wrong(i, "uint")
	}
	return uint32(n)
}

func (f *fieldReader) uintPtr(i int) *uint32 {
	if f.any(i) == nil {
		return nil
	}
	n := f.uint(i, 0)
	return &n
}

func (f *fieldReader) ushortPtr(i int) *uint16 {
	if f.any(i) == nil {
		return nil
	}
	n := uint16(f.uint(i, 0))
	return &n
}

func (f *fieldReader) mapping(i int) Map {
	switch v := f.any(i).(type) {
	case nil:
	case Map:
		return v
	default:
		f.wrong(i, "map")
	}
	return nil
}

func (f *fieldReader) state(i int) any {
	v := f.any(i)
	if v == nil {
		return nil
	}
	d, ok := v.(Described)
	if !ok {
		f.wrong(i, "delivery state")
		return nil
	}
	return parseState(d)
}

// optional turns a zero value into null.
func optional[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func optionalMap(m Map) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func errorField(e *Error) any {
	if e == nil {
		return nil
	}
	return e.described()
}

// Ptr gives a pointer to a copy of v: for the optional fields.
func Ptr[T any](v T) *T { return &v }
