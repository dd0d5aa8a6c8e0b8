package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Append encodes v at the end of b. It panics on a Go type that the package
// does not know, which is a mistake in the program, never in its input.
func Append(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(b, 0x40)
	case bool:
		if x {
			return append(b, 0x41)
		}
		return append(b, 0x42)
	case uint8:
		return append(b, 0x50, x)
	case int8:
		return append(b, 0x51, byte(x))
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 0x60), x)
	case int16:
		return binary.BigEndian.AppendUint16(append(b, 0x61), uint16(x))
	case uint32:
		return appendUint(b, x)
	case uint64:
		return appendUlong(b, x)
	case int32:
		if x == int32(int8(x)) {
			return append(b, 0x54, byte(x))
		}
		return binary.BigEndian.AppendUint32(append(b, 0x71), uint32(x))
	case int64:
		if x == int64(int8(x)) {
			return append(b, 0x55, byte(x))
		}
		return binary.BigEndian.AppendUint64(append(b, 0x81), uint64(x))
	case int:
		return Append(b, int64(x))
	case float32:
		return binary.BigEndian.AppendUint32(append(b, 0x72), math.Float32bits(x))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0x82), math.Float64bits(x))
	case Char:
		return binary.BigEndian.AppendUint32(append(b, 0x73), uint32(x))
	case time.Time:
		return binary.BigEndian.AppendUint64(append(b, 0x83), uint64(x.UnixMilli()))
	case UUID:
		return append(append(b, 0x98), x[:]...)
	case Decimal:
		return append(append(b, map[int]byte{4: 0x74, 8: 0x84, 16: 0x94}[len(x)]), x...)
	case []byte:
		return appendVariable(b, 0xa0, string(x))
	case string:
		return appendVariable(b, 0xa1, x)
	case Symbol:
		return appendVariable(b, 0xa3, string(x))
	case List:
		return appendList(b, x)
	case Map:
		return appendMap(b, x)
	case Array:
		return appendArray(b, x)
	case Described:
		return Append(Append(append(b, 0x00), x.Descriptor), x.Value)
	case DeliveryState:
		return Append(b, x.described())
	}
	panic(fmt.Sprintf("amqp: cannot encode %T", v))
}

func appendUint(b []byte, x uint32) []byte {
	switch {
	case x == 0:
		return append(b, 0x43)
	case x < 256:
		return append(b, 0x52, byte(x))
	}
	return binary.BigEndian.AppendUint32(append(b, 0x70), x)
}

func appendUlong(b []byte, x uint64) []byte {
	switch {
	case x == 0:
		return append(b, 0x44)
	case x < 256:
		return append(b, 0x53, byte(x))
	}
	return binary.BigEndian.AppendUint64(append(b, 0x80), x)
}

// appendVariable writes a binary, string or symbol; code is its one-byte form.
func appendVariable(b []byte, code byte, s string) []byte {
	if len(s) < 256 {
		b = append(b, code, byte(len(s)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, code+0x10), uint32(len(s)))
	}
	return append(b, s...)
}

// open starts a compound value of four-byte size and count; close fills in the size.
func open(b []byte, code byte, count int) (out []byte, mark int) {
	b = append(b, code)
	mark = len(b)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, uint32(count)), mark
}

func closeSize(b []byte, mark int) []byte {
	binary.BigEndian.PutUint32(b[mark:], uint32(len(b)-mark-4))
	return b
}

func appendList(b []byte, items []any) []byte {
	if len(items) == 0 {
		return append(b, 0x45)
	}
	b, mark := open(b, 0xd0, len(items))
	for _, item := range items {
		b = Append(b, item)
	}
	return closeSize(b, mark)
}

func appendMap(b []byte, m Map) []byte {
	b, mark := open(b, 0xd1, 2*len(m))
	for _, e := range m {
		b = Append(Append(b, e.Key), e.Value)
	}
	return closeSize(b, mark)
}

// appendArray writes all elements under one constructor: the widest form of
// the first element's type. Elements of any other type make it panic.
func appendArray(b []byte, items Array) []byte {
	if len(items) == 0 {
		return append(b, 0x45)
	}
	b, mark := open(b, 0xf0, len(items))
	first := items[0]
	if d, ok := first.(Described); ok {
		b = Append(append(b, 0x00), d.Descriptor)
		first = d.Value
	}
	b = append(b, wideCode(first))
	for _, item := range items {
		if d, ok := item.(Described); ok {
			item = d.Value
		}
		if wideCode(item) != wideCode(first) {
			panic(fmt.Sprintf("amqp: array of %T holds a %T", first, item))
		}
		b = appendWide(b, item)
	}
	return closeSize(b, mark)
}

func wideCode(v any) byte {
	switch x := v.(type) {
	case nil:
		return 0x40
	case bool:
		return 0x56
	case uint32:
		return 0x70
	case uint64:
		return 0x80
	case int32:
		return 0x71
	case int64, int:
		return 0x81
	case []byte:
		return 0xb0
	case string:
		return 0xb1
	case Symbol:
		return 0xb3
	case List:
		return 0xd0
	case Array:
		return 0xf0
	case Map:
		return 0xd1
	case Decimal:
		return Append(nil, x)[0]
	}
	return Append(nil, v)[0] // all others have one form only
}

// appendWide writes the body of a value in the form that wideCode names.
func appendWide(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return b
	case bool:
		if x {
			return append(b, 1)
		}
		return append(b, 0)
	case uint32:
		return binary.BigEndian.AppendUint32(b, x)
	case uint64:
		return binary.BigEndian.AppendUint64(b, x)
	case int32:
		return binary.BigEndian.AppendUint32(b, uint32(x))
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(x))
	case int:
		return binary.BigEndian.AppendUint64(b, uint64(x))
	case []byte:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
	case string:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
	case Symbol:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
	case List:
		if len(x) == 0 {
			return append(b, 0, 0, 0, 4, 0, 0, 0, 0)
		}
	case Array:
		if len(x) == 0 { // an array of no nulls
			return append(b, 0, 0, 0, 5, 0, 0, 0, 0, 0x40)
		}
	}
	return append(b, Append(nil, v)[1:]...)
}
