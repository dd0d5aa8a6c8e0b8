package amqp

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("x", 300)
	values := []any{
		nil, true, false, uint8(200), uint16(60000), uint32(0), uint32(7), uint32(1 << 20), uint64(0), uint64(7), uint64(1 << 40),
		int8(-5), int16(-500), int32(-5), int32(-70000), int64(-5), int64(math.MinInt64), float32(1.5), math.Pi, Char('é'),
		time.UnixMilli(1767225600123).UTC(), time.UnixMilli(-1).UTC(), UUID{1, 2, 3}, []byte{}, []byte{1, 2}, []byte(long),
		"", "é", long, Symbol("s"), Symbol(long), Decimal{1, 2, 3, 4}, Decimal(make([]byte, 8)), Decimal(make([]byte, 16)),
		List{}, List{nil, "a", List{int64(1)}}, Map{}, Map{{"k", uint32(1)}, {Symbol("s"), nil}},
		Array{int64(1), int64(1 << 40)}, Array{"a", long}, Array{Symbol("a")}, Array{UUID{1}, UUID{2}}, Array{true, false},
		Array{uint32(0), uint32(5)}, Array{uint64(0)}, Array{int32(1)}, Array{[]byte("a")}, Array{time.UnixMilli(5).UTC()},
		Array{List{int64(1)}, List{}}, Array{Map{{"k", "v"}}}, Array{Array{int64(1)}}, Array{nil, nil},
		Array{Described{Symbol("d"), "a"}, Described{Symbol("d"), "b"}},
		Described{uint64(0x24), List{}}, Described{Symbol("a:b"), "v"},
	}
	for _, v := range values {
		encoded := Append(nil, v)
		got, rest, err := Decode(append(encoded, 0xee))
		if err != nil || !bytes.Equal(rest, []byte{0xee}) || !reflect.DeepEqual(got, v) {
			t.Errorf("%#v: encoded as %x, decoded as %#v, rest %x, %v", v, encoded, got, rest, err)
		}
	}
}

// The forms of the specification that this encoder does not write.
func TestDecodeOtherForms(t *testing.T) {
	for in, want := range map[string]any{
		"5601":                 true,
		"5600":                 false,
		"7000000007":           uint32(7),
		"800000000000000007":   uint64(7),
		"7100000007":           int32(7),
		"810000000000000007":   int64(7),
		"b1000000026162":       "ab",
		"c0050254015402":       List{int32(1), int32(2)},
		"c10602a1016b5401":     Map{{"k", int32(1)}},
		"e0050354010203":       Array{int32(1), int32(2), int32(3)},
		"00a301645401":         Described{Symbol("d"), int32(1)},
		"00800000000000000775": nil,
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		got, _, err := Decode(b)
		if want == nil {
			if err == nil {
				t.Errorf("%s: decoded as %#v, want an error", in, got)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded as %#v, %v, want %#v", in, got, err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                    "",
		"unknown constructor":        "3f",
		"reserved fixed":             "5f00",
		"string cut short":           "a105616263",
		"size beyond the input":      "b0ffffffff00",
		"negative size":              "d080000000",
		"list with too many items":   "c00205",
		"map without last value":     "c10602a1016b5401" + "c1030154 01",
		"string that is not UTF-8":   "a101ff",
		"descriptor of a wrong type": "005401a10161",
		"array of two billion nulls": "f0000000057fffffff40",
		"nested too deep":            strings.Repeat("00a30164", 40) + "40",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		var err error
		for len(b) > 0 && err == nil {
			_, b, err = Decode(b)
		}
		if in == "" {
			_, _, err = Decode(nil)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEmptyArrayIsAnEmptyList(t *testing.T) {
	if got := Append(nil, Array{}); !bytes.Equal(got, []byte{0x45}) {
		t.Errorf("encoded as %x", got)
	}
}

func TestUUID(t *testing.T) {
	u := UUID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	if u.String() != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Error(u.String())
	}
	if got := u.GUIDBytes(); hex.EncodeToString(got[:]) != "33221100554477668899aabbccddeeff" {
		t.Errorf("GUID bytes %x", got)
	}
	if back := UUID(u.GUIDBytes()).GUIDBytes(); UUID(back) != u {
		t.Errorf("and back: %v", back)
	}
}

func TestFrames(t *testing.T) {
	source := &Source{Address: "/q", Filter: Map{{Symbol("f"), nil}}}
	frames := []Performative{
		&Open{ContainerID: "c", Hostname: "h", MaxFrameSize: 1000, ChannelMax: 5, IdleTimeOut: 30000, Properties: Map{{Symbol("p"), "v"}}},
		&Begin{RemoteChannel: Ptr(uint16(0)), NextOutgoingID: 1, IncomingWindow: math.MaxUint32, OutgoingWindow: 2, HandleMax: Ptr(uint32(9))},
		&Attach{Name: "n", Handle: 3, Receiver: true, SenderSettleMode: 1, ReceiverSettleMode: 1, Source: source, Target: &Target{Address: "t"},
			InitialDeliveryCount: Ptr(uint32(0)), MaxMessageSize: 5, Properties: Map{{Symbol("p"), int64(1)}}},
		&Attach{Name: "refused", SenderSettleMode: SenderMixed},
		&Flow{NextIncomingID: Ptr(uint32(0)), IncomingWindow: 1, NextOutgoingID: 2, OutgoingWindow: 3, Handle: Ptr(uint32(0)),
			DeliveryCount: Ptr(uint32(4)), LinkCredit: Ptr(uint32(5)), Drain: true, Echo: true},
		&Transfer{Handle: 1, DeliveryID: Ptr(uint32(0)), DeliveryTag: []byte("tag"), MessageFormat: FormatBatch, Settled: true, More: true},
		&Transfer{Handle: 1, Aborted: true},
		&Disposition{Receiver: true, First: 1, Last: Ptr(uint32(2)), Settled: true, State: Accepted{}},
		&Disposition{State: Rejected{Error: &Error{Condition: CondDeadLetter, Description: "d", Info: Map{{"k", "v"}}}}},
		&Disposition{State: Modified{UndeliverableHere: true, Annotations: Map{{"k", "v"}}}},
		&Disposition{State: Released{}},
		&Detach{Handle: 1, Closed: true, Error: &Error{Condition: CondNotFound, Description: "d"}},
		&End{}, &Close{Error: &Error{Condition: CondInternal}},
		&SASLMechanisms{Mechanisms: []Symbol{"A", "B"}}, &SASLInit{Mechanism: "A", InitialResponse: []byte{1}, Hostname: "h"}, &SASLOutcome{Code: 1},
	}
	for _, p := range frames {
		b := AppendFrame(nil, FrameAMQP, 7, p, []byte("payload"))
		f, err := ReadFrame(bytes.NewReader(b), 1<<16)
		if err != nil || f.Channel != 7 || string(f.Payload) != "payload" {
			t.Errorf("%T: %+v, %v", p, f, err)
			continue
		}
		if a, ok := f.Body.(*Attach); ok && a.Source != nil { // keep what the peer sent, which is not compared
			a.Source.raw, a.Target.raw = nil, nil
		}
		if !reflect.DeepEqual(f.Body, p) {
			t.Errorf("%T: read as %+v, want %+v", p, f.Body, p)
		}
	}
}

func TestFrameLimits(t *testing.T) {
	empty := AppendFrame(nil, FrameAMQP, 0, nil, nil)
	if f, err := ReadFrame(bytes.NewReader(empty), 512); err != nil || f.Body != nil {
		t.Errorf("empty frame: %+v, %v", f, err)
	}
	for name, head := range map[string]string{
		"too large":            "00010001 02000000",
		"too small":            "00000007 02000000",
		"offset in the header": "00000010 01000000 0000000000000000",
		"offset past the end":  "00000010 05000000 0000000000000000",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(head, " ", ""))
		if _, err := ReadFrame(bytes.NewReader(b), 65536); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMessageRoundTrip(t *testing.T) {
	at := time.UnixMilli(1767225600000).UTC()
	m := &Message{
		Header:              Header{Durable: true, Priority: Ptr(uint8(5)), TTL: Ptr(time.Second), FirstAcquirer: true, DeliveryCount: 3},
		DeliveryAnnotations: Map{{Symbol("d"), UUID{1}}},
		Annotations:         Map{{Symbol("a"), int64(1)}},
		Properties: Properties{MessageID: "id", UserID: []byte("u"), To: Ptr("to"), Subject: Ptr("s"), ReplyTo: Ptr("r"), CorrelationID: UUID{2},
			ContentType: Ptr("ct"), ContentEncoding: Ptr("ce"), AbsoluteExpiryTime: &at, CreationTime: &at, GroupID: Ptr(""), GroupSequence: Ptr(uint32(1)), ReplyToGroupID: Ptr("rg")},
		ApplicationProperties: Map{{"n", int32(7)}, {"f", true}},
		Body:                  []Section{{Data, []byte("one")}, {Data, []byte("two")}},
		Footer:                Map{{Symbol("f"), "v"}},
	}
	for _, body := range [][]Section{m.Body, {{Value, nil}}, {{Value, Map{{"k", "v"}}}}, {{Sequence, List{"a"}}, {Sequence, List{}}}} {
		m.Body = body
		got, err := Unmarshal(m.Marshal())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("decoded as %+v, %v, want %+v", got, err, m)
		}
	}
}

func TestMessageSectionsOutOfPlace(t *testing.T) {
	data := Append(nil, Described{uint64(0x75), []byte("x")})
	header := Append(nil, Described{uint64(0x70), List{}})
	for name, b := range map[string][]byte{
		"header after body": append(append([]byte{}, data...), header...),
		"two headers":       append(append([]byte{}, header...), header...),
		"no descriptor":     {0x40},
		"data no binary":    Append(nil, Described{uint64(0x75), "text"}),
		"unknown section":   Append(nil, Described{uint64(0x79), List{}}),
	} {
		if m, err := Unmarshal(b); err == nil {
			t.Errorf("%s: decoded as %+v", name, m)
		}
	}
}

// What is decoded must encode again, to something that decodes to the same.
func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, Map{{"k", Array{int64(1)}}, {Symbol("l"), List{nil, UUID{}}}}))
	f.Add(AppendFrame(nil, 0, 0, &Attach{Name: "n", Source: &Source{Address: "a"}, Target: &Target{}}, nil)[8:])
	f.Add((&Message{Properties: Properties{MessageID: "m"}, Body: []Section{{Data, []byte("x")}}}).Marshal())
	f.Add([]byte{0xf0, 0, 0, 0, 5, 0, 0, 16, 0, 0x40})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _, err := Decode(b)
		if err == nil {
			again := Append(nil, v)
			if _, rest, err := Decode(again); err != nil || len(rest) > 0 {
				t.Errorf("%#v does not decode again: %v", v, err)
			}
		}
		if m, err := Unmarshal(b); err == nil {
			if _, err := Unmarshal(m.Marshal()); err != nil {
				t.Errorf("message %+v does not decode again: %v", m, err)
			}
		}
		frame := append([]byte{0, 0, byte((len(b) + 8) >> 8), byte(len(b) + 8), 2, 0, 0, 0}, b...)
		if len(b) < 60000 {
			if got, err := ReadFrame(bytes.NewReader(frame), 1<<16); err == nil && got.Body != nil {
				AppendFrame(nil, 0, 0, got.Body.(Performative), got.Payload)
			}
		}
	})
}

// The worst that a small input can make of memory.
func TestDecodeAllocations(t *testing.T) {
	inner := []byte{0xf0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x40} // an array that claims two billion nulls
	hostile := bytes.Repeat(inner, 1000)
	list := append([]byte{0xd0, 0, 0, byte((len(hostile) + 4) >> 8), byte(len(hostile) + 4), 0, 0, 3, 0xe8}, hostile...)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, _, err := Decode(list); err == nil {
				b.Fatal("decoded")
			}
		}
	})
	if result.AllocedBytesPerOp() > 1<<20 {
		t.Errorf("%d bytes allocated for an input of %d", result.AllocedBytesPerOp(), len(list))
	}
}
