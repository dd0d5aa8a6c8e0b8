package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame types.
const (
	FrameAMQP byte = 0
	FrameSASL byte = 1
)

// Protocol headers, sent before any frame.
var (
	HeaderAMQP = [8]byte{'A', 'M', 'Q', 'P', 0, 1, 0, 0}
	HeaderSASL = [8]byte{'A', 'M', 'Q', 'P', 3, 1, 0, 0}
)

// Frame is one frame as read: a performative (nil in an empty frame, which
// only keeps the connection alive) and, after a transfer, its payload.
type Frame struct {
	Type    byte
	Channel uint16
	Body    any
	Payload []byte
}

// ReadFrame reads one frame of at most limit bytes. The payload is the
// reader's own: a new slice for each frame.
func ReadFrame(r io.Reader, limit uint32) (Frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:4])
	offset := uint32(head[4]) * 4
	if size < 8 || size > limit || offset < 8 || offset > size {
		return Frame{}, fmt.Errorf("amqp: frame of size %d with data offset %d (limit %d)", size, offset, limit)
	}
	body := make([]byte, size-8)
	if _, err := io.ReadFull(r, body); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: head[5], Channel: binary.BigEndian.Uint16(head[6:])}
	body = body[offset-8:]
	if len(body) == 0 {
		return f, nil
	}
	v, rest, err := Decode(body)
	if err != nil {
		return Frame{}, err
	}
	described, ok := v.(Described)
	if !ok {
		return Frame{}, errors.New("amqp: frame does not start with a performative")
	}
	f.Body, err = parsePerformative(described)
	f.Payload = rest
	return f, err
}

// AppendFrame encodes one frame at the end of b. A nil body makes an empty frame.
func AppendFrame(b []byte, frameType byte, channel uint16, body Performative, payload []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 2, frameType, byte(channel>>8), byte(channel))
	if body != nil {
		b = append(b, 0x00)
		b = appendUlong(b, body.code())
		fields := body.fields()
		for len(fields) > 0 && fields[len(fields)-1] == nil {
			fields = fields[:len(fields)-1] // trailing nulls are left out
		}
		b = appendList(b, fields)
	}
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
