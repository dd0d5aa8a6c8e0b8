package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

const (
	maxDepth = 32   // nesting of lists, maps, arrays and descriptors
	maxFree  = 4096 // array elements that take no bytes, in one call of Decode
	prealloc = 64   // elements to allocate on the word of a count alone
)

var errShort = errors.New("amqp: value is cut short")

// Decode reads one value from the front of b and returns what follows it.
// Strings and binaries are copied: the result does not hold on to b.
func Decode(b []byte) (value any, rest []byte, err error) {
	free := maxFree
	d := decoder{b: b, free: &free}
	value, err = d.value(0)
	return value, d.b, err
}

type decoder struct {
	b    []byte
	free *int // how many more array elements may take no bytes
}

func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b) {
		return nil, errShort
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out, nil
}

func (d *decoder) byte() (byte, error) {
	p, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// length reads a size or count of 1 or 4 bytes.
func (d *decoder) length(wide bool) (int, error) {
	if !wide {
		n, err := d.byte()
		return int(n), err
	}
	p, err := d.take(4)
	if err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(p)
	if n > math.MaxInt32 {
		return 0, errShort
	}
	return int(n), nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("amqp: nested deeper than %d", maxDepth)
	}
	code, err := d.byte()
	if err != nil {
		return nil, err
	}
	if code == 0x00 {
		descriptor, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		switch descriptor.(type) {
		case uint64, Symbol:
		default:
			return nil, fmt.Errorf("amqp: descriptor of type %T", descriptor)
		}
		v, err := d.value(depth + 1)
		return Described{descriptor, v}, err
	}
	return d.body(code, depth)
}

// body reads what follows a constructor.
func (d *decoder) body(code byte, depth int) (any, error) {
	switch code {
	case 0xa0, 0xb0, 0xa1, 0xb1, 0xa3, 0xb3:
		return d.variable(code)
	case 0x45:
		return List{}, nil
	case 0xc0, 0xd0, 0xc1, 0xd1, 0xe0, 0xf0:
		return d.compound(code, depth)
	}
	return d.fixed(code)
}

func (d *decoder) fixed(code byte) (any, error) {
	switch code {
	case 0x40:
		return nil, nil
	case 0x41:
		return true, nil
	case 0x42:
		return false, nil
	case 0x43:
		return uint32(0), nil
	case 0x44:
		return uint64(0), nil
	}
	if code < 0x50 || code > 0x9f {
		return nil, fmt.Errorf("amqp: unknown constructor 0x%02x", code)
	}
	p, err := d.take(1 << (code>>4 - 5)) // 0x5. is 1 byte wide, 0x9. is 16
	if err != nil {
		return nil, err
	}
	switch code {
	case 0x50:
		return p[0], nil
	case 0x51:
		return int8(p[0]), nil
	case 0x52:
		return uint32(p[0]), nil
	case 0x53:
		return uint64(p[0]), nil
	case 0x54:
		return int32(int8(p[0])), nil
	case 0x55:
		return int64(int8(p[0])), nil
	case 0x56:
		return p[0] != 0, nil
	case 0x60:
		return binary.BigEndian.Uint16(p), nil
	case 0x61:
		return int16(binary.BigEndian.Uint16(p)), nil
	case 0x70:
		return binary.BigEndian.Uint32(p), nil
	case 0x71:
		return int32(binary.BigEndian.Uint32(p)), nil
	case 0x72:
		return math.Float32frombits(binary.BigEndian.Uint32(p)), nil
	case 0x73:
		return Char(binary.BigEndian.Uint32(p)), nil
	case 0x80:
		return binary.BigEndian.Uint64(p), nil
	case 0x81:
		return int64(binary.BigEndian.Uint64(p)), nil
	case 0x82:
		return math.Float64frombits(binary.BigEndian.Uint64(p)), nil
	case 0x83:
		return time.UnixMilli(int64(binary.BigEndian.Uint64(p))).UTC(), nil
	case 0x98:
		return UUID(p), nil
	case 0x74, 0x84, 0x94:
		return Decimal(append([]byte(nil), p...)), nil
	}
	return nil, fmt.Errorf("amqp: unknown constructor 0x%02x", code)
}

func (d *decoder) variable(code byte) (any, error) {
	n, err := d.length(code >= 0xb0)
	if err != nil {
		return nil, err
	}
	p, err := d.take(n)
	if err != nil {
		return nil, err
	}
	switch code & 0x0f {
	case 0x0:
		return append([]byte{}, p...), nil
	case 0x1:
		if !utf8.Valid(p) {
			return nil, errors.New("amqp: string is not UTF-8")
		}
		return string(p), nil
	}
	return Symbol(p), nil
}

// compound reads a list, map or array: a size, a count, and that many values.
func (d *decoder) compound(code byte, depth int) (any, error) {
	wide := code&0x10 != 0
	size, err := d.length(wide)
	if err != nil {
		return nil, err
	}
	body, err := d.take(size)
	if err != nil {
		return nil, err
	}
	in := decoder{b: body, free: d.free}
	count, err := in.length(wide)
	if err != nil {
		return nil, err
	}
	switch code & 0xef {
	case 0xc0:
		items, err := in.items(count, depth)
		return List(items), err
	case 0xc1:
		return in.pairs(count, depth)
	}
	return in.array(count, depth)
}

func (d *decoder) items(count, depth int) ([]any, error) {
	if count > len(d.b) { // each item takes at least its constructor
		return nil, errShort
	}
	out := make([]any, 0, min(count, prealloc))
	for range count {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *decoder) pairs(count, depth int) (any, error) {
	if count%2 != 0 {
		return nil, errors.New("amqp: map with a key that has no value")
	}
	items, err := d.items(count, depth)
	if err != nil {
		return nil, err
	}
	m := make(Map, 0, len(items)/2)
	for i := 0; i < count; i += 2 {
		m = append(m, Entry{items[i], items[i+1]})
	}
	return m, nil
}

func (d *decoder) array(count, depth int) (any, error) {
	if depth >= maxDepth {
		return nil, fmt.Errorf("amqp: nested deeper than %d", maxDepth)
	}
	code, err := d.byte()
	if err != nil {
		return nil, err
	}
	var descriptor any
	if code == 0x00 {
		if descriptor, err = d.value(depth + 1); err != nil {
			return nil, err
		}
		if code, err = d.byte(); err != nil {
			return nil, err
		}
	}
	out := make(Array, 0, min(count, prealloc))
	for range count {
		before := len(d.b)
		v, err := d.body(code, depth+1)
		if err != nil {
			return nil, err
		}
		if len(d.b) == before {
			if *d.free--; *d.free < 0 {
				return nil, fmt.Errorf("amqp: more than %d array elements without content", maxFree)
			}
		}
		if descriptor != nil {
			v = Described{descriptor, v}
		}
		out = append(out, v)
	}
	return out, nil
}
