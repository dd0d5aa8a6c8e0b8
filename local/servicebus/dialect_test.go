package servicebus_test

import (
	"bytes"
	"io"
	"math"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// wire is a client that speaks frames, to say what the Go SDK never says. What
// it sends as ".NET" was recorded from Azure.Messaging.ServiceBus 7.20.1
// inside the Functions host 4.1045.200.
type wire struct {
	*world
	t  *testing.T
	nc net.Conn
}

func newWire(w *world, mechanism amqp.Symbol) *wire {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.Addr())
	w.must(err)
	w.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	c := &wire{world: w, t: w.t, nc: nc}
	c.header(amqp.HeaderSASL)
	if m := expect[*amqp.SASLMechanisms](c, amqp.FrameSASL); !contains(m.Mechanisms, mechanism) {
		w.t.Fatalf("mechanisms %v, want %s among them", m.Mechanisms, mechanism)
	}
	c.write(amqp.AppendFrame(nil, amqp.FrameSASL, 0, &amqp.SASLInit{Mechanism: mechanism}, nil))
	expect[*amqp.SASLOutcome](c, amqp.FrameSASL)
	c.header(amqp.HeaderAMQP)
	return c
}

func contains(list []amqp.Symbol, s amqp.Symbol) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (c *wire) write(b []byte) {
	c.t.Helper()
	_, err := c.nc.Write(b)
	c.must(err)
}

func (c *wire) header(h [8]byte) {
	c.t.Helper()
	c.write(h[:])
	var got [8]byte
	_, err := io.ReadFull(c.nc, got[:])
	c.must(err)
	if got != h {
		c.t.Fatalf("header %v, want %v", got, h)
	}
}

func (c *wire) send(p amqp.Performative, payload []byte) {
	c.t.Helper()
	c.write(amqp.AppendFrame(nil, amqp.FrameAMQP, 0, p, payload))
}

func (c *wire) read(kind byte) amqp.Frame {
	c.t.Helper()
	for {
		f, err := amqp.ReadFrame(c.nc, 1<<16)
		c.must(err)
		if f.Type != kind {
			c.t.Fatalf("frame of type %d", f.Type)
		}
		if f.Body != nil {
			return f
		}
	}
}

// expect reads the next frame, which must be of this type.
func expect[P amqp.Performative](c *wire, kind byte) P {
	c.t.Helper()
	p, _ := expectPayload[P](c, kind)
	return p
}

func expectPayload[P amqp.Performative](c *wire, kind byte) (P, []byte) {
	c.t.Helper()
	f := c.read(kind)
	p, ok := f.Body.(P)
	if !ok {
		c.t.Fatalf("read %T %+v, want %v", f.Body, f.Body, reflect.TypeFor[P]())
	}
	return p, f.Payload
}

// begin opens the connection and a session with .NET's window, and puts a token.
func (c *wire) begin() {
	c.t.Helper()
	c.send(&amqp.Open{ContainerID: "c", Hostname: "127.0.0.1", MaxFrameSize: 65536, ChannelMax: 8191, IdleTimeOut: 30000}, nil)
	expect[*amqp.Open](c, amqp.FrameAMQP)
	c.send(&amqp.Begin{NextOutgoingID: 1, IncomingWindow: math.MaxUint32, OutgoingWindow: 5000, HandleMax: amqp.Ptr(uint32(262143))}, nil)
	if b := expect[*amqp.Begin](c, amqp.FrameAMQP); b.RemoteChannel == nil || *b.RemoteChannel != 0 {
		c.t.Fatalf("begin %+v", b)
	}
	c.putToken()
}

// putToken does it as JavaScript does: the link for the answer names no target,
// and the request comes before there is credit for the answer.
func (c *wire) putToken() {
	c.t.Helper()
	c.attachSender(100, "$cbs")
	c.attachReceiver(&amqp.Attach{Name: "cbs-in", Handle: 101, Source: &amqp.Source{Address: "$cbs"}})
	c.request(100, amqp.Map{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "servicebus.windows.net:sastoken"}, {Key: "name", Value: "sb://127.0.0.1/q"}},
		"SharedAccessSignature sr=sb%3A%2F%2F127.0.0.1&sig=x&se=9999999999&skn=local")
	c.credit(101, 10)
	m := c.message()
	if m.Properties.CorrelationID != "request" || m.ApplicationProperties.Get("status-code") != int32(202) {
		c.t.Fatalf("answer to put-token: %+v", m)
	}
}

func (c *wire) attachSender(handle uint32, address string) {
	c.t.Helper()
	c.send(&amqp.Attach{Name: address, Handle: handle, Source: &amqp.Source{}, Target: &amqp.Target{Address: address}}, nil)
	if a := expect[*amqp.Attach](c, amqp.FrameAMQP); a.Target == nil || !a.Receiver {
		c.t.Fatalf("sender on %s refused: %+v", address, a)
	}
	if f := expect[*amqp.Flow](c, amqp.FrameAMQP); f.LinkCredit == nil || *f.LinkCredit == 0 {
		c.t.Fatalf("no credit on %s: %+v", address, f)
	}
}

func (c *wire) attachReceiver(p *amqp.Attach) *amqp.Attach {
	c.t.Helper()
	p.Receiver = true
	c.send(p, nil)
	a := expect[*amqp.Attach](c, amqp.FrameAMQP)
	if a.Source == nil || a.Receiver || a.InitialDeliveryCount == nil || a.Name != p.Name {
		c.t.Fatalf("receiver on %s refused: %+v", p.Source.Address, a)
	}
	return a
}

// refused sends an attach and reads its refusal: no source or target, then the reason.
func (c *wire) refused(p *amqp.Attach) amqp.Symbol {
	c.t.Helper()
	c.send(p, nil)
	if a := expect[*amqp.Attach](c, amqp.FrameAMQP); a.Source != nil || a.Target != nil {
		c.t.Fatalf("not refused: %+v", a)
	}
	d := expect[*amqp.Detach](c, amqp.FrameAMQP)
	c.send(&amqp.Detach{Handle: p.Handle, Closed: true}, nil)
	return d.Error.Condition
}

func (c *wire) credit(handle, n uint32) {
	c.t.Helper()
	c.send(&amqp.Flow{NextIncomingID: amqp.Ptr(uint32(0)), IncomingWindow: math.MaxUint32, NextOutgoingID: 1, OutgoingWindow: 5000,
		Handle: &handle, DeliveryCount: amqp.Ptr(uint32(0)), LinkCredit: &n, Available: amqp.Ptr(uint32(0))}, nil)
}

func (c *wire) request(handle uint32, properties amqp.Map, body any) {
	c.t.Helper()
	m := amqp.Message{Properties: amqp.Properties{MessageID: "request"}, ApplicationProperties: properties, Body: []amqp.Section{{Kind: amqp.Value, Value: body}}}
	c.send(&amqp.Transfer{Handle: handle, DeliveryID: amqp.Ptr(uint32(0)), DeliveryTag: []byte{}, Settled: true}, m.Marshal())
}

func (c *wire) message() *amqp.Message {
	c.t.Helper()
	_, payload := expectPayload[*amqp.Transfer](c, amqp.FrameAMQP)
	m, err := amqp.Unmarshal(payload)
	c.must(err)
	return m
}

// .NET: addresses begin with "/", the filter is null and not described, the
// window is 2^32-1, the mechanism is MSSBCBS.
func TestDotNetSession(t *testing.T) {
	w := newWorld(t, sessionQueue)
	c := newWire(w, "MSSBCBS")
	c.begin()
	w.must(w.Send("q", servicebus.Message{MessageID: "1", SessionID: "a", Body: []byte("x")}))
	a := c.attachReceiver(&amqp.Attach{Name: "r", Handle: 0, SenderSettleMode: amqp.SenderMixed, ReceiverSettleMode: amqp.ReceiverSecond,
		Source: &amqp.Source{Address: "/q", Filter: amqp.Map{{Key: amqp.Symbol("com.microsoft:session-filter"), Value: nil}}},
		Target: &amqp.Target{Address: "q-b6441500"}, Properties: amqp.Map{{Key: amqp.Symbol("com.microsoft:timeout"), Value: uint32(59885)}}})
	if a.Source.Filter.Get("com.microsoft:session-filter") != "a" {
		t.Errorf("filter %v, want the session as it came: not described", a.Source.Filter)
	}
	if until, _ := a.Properties.Get("com.microsoft:locked-until-utc").(int64); until < 639000000000000000 {
		t.Errorf("locked until %d, want .NET ticks", until)
	}
	c.credit(0, 1)
	p, payload := expectPayload[*amqp.Transfer](c, amqp.FrameAMQP)
	if len(p.DeliveryTag) != 16 || p.Settled {
		t.Errorf("transfer %+v", p)
	}
	m, err := amqp.Unmarshal(payload)
	w.must(err)
	// Without a time to live there must be none: .NET then says 9999-12-31.
	if m.Header.TTL != nil || m.Properties.AbsoluteExpiryTime != nil {
		t.Errorf("header %+v", m.Header)
	}
	c.send(&amqp.Disposition{Receiver: true, First: *p.DeliveryID, State: amqp.Accepted{}}, nil)
	if d := expect[*amqp.Disposition](c, amqp.FrameAMQP); !d.Settled || d.Receiver || d.First != *p.DeliveryID || d.State != (amqp.Accepted{}) {
		t.Errorf("answer to the disposition %+v", d)
	}
	// The idle session is closed with a drain first.
	c.send(&amqp.Flow{NextIncomingID: amqp.Ptr(uint32(2)), IncomingWindow: math.MaxUint32, Handle: amqp.Ptr(uint32(0)),
		DeliveryCount: amqp.Ptr(uint32(1)), LinkCredit: amqp.Ptr(uint32(5)), Drain: true}, nil)
	if f := expect[*amqp.Flow](c, amqp.FrameAMQP); !f.Drain || *f.LinkCredit != 0 || *f.DeliveryCount != 6 {
		t.Errorf("drained: %+v", f)
	}
	c.send(&amqp.Detach{Handle: 0, Closed: true}, nil)
	if d := expect[*amqp.Detach](c, amqp.FrameAMQP); !d.Closed || d.Error != nil {
		t.Errorf("detach %+v", d)
	}
	w.counts("q", servicebus.Counts{})
}

// The host stops: it detaches while the attach still waits for a session.
func TestDetachWhileWaiting(t *testing.T) {
	w := newWorld(t, sessionQueue)
	c := newWire(w, "ANONYMOUS")
	c.begin()
	filter := amqp.Map{{Key: amqp.Symbol("com.microsoft:session-filter"), Value: nil}}
	c.send(&amqp.Attach{Name: "r", Receiver: true, Source: &amqp.Source{Address: "/q", Filter: filter}, Target: &amqp.Target{}}, nil)
	c.send(&amqp.Detach{Closed: true}, nil)
	if a := expect[*amqp.Attach](c, amqp.FrameAMQP); a.Source != nil {
		t.Errorf("attach %+v", a)
	}
	if d := expect[*amqp.Detach](c, amqp.FrameAMQP); d.Error != nil {
		t.Errorf("detach %+v", d)
	}
	w.send("q", text("1", "a"))
	if lost, _ := w.ExpireSession("q", "a"); lost {
		t.Error("who left took the session")
	}
	c.send(&amqp.End{}, nil)
	expect[*amqp.End](c, amqp.FrameAMQP)
	c.send(&amqp.Close{}, nil)
	expect[*amqp.Close](c, amqp.FrameAMQP)
}

func TestManagementDialect(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	c := newWire(w, "MSSBCBS")
	c.begin()
	c.attachSender(1, "/q/$management")
	c.attachReceiver(&amqp.Attach{Name: "m", Handle: 2, SenderSettleMode: amqp.SenderSettled, Source: &amqp.Source{Address: "/q/$management"}, Target: &amqp.Target{Address: "me"}})
	c.credit(2, 50)
	c.request(1, amqp.Map{{Key: "operation", Value: "com.microsoft:renew-lock"}}, amqp.Map{{Key: "lock-tokens", Value: amqp.Array{amqp.UUID{1}}}})
	m := c.message()
	// .NET reads these names, and makes its exception of the condition.
	if m.ApplicationProperties.Get("statusCode") != int32(410) || m.ApplicationProperties.Get("errorCondition") != amqp.CondMessageLockLost {
		t.Errorf("answer %v", m.ApplicationProperties)
	}
	for operation, status := range map[string]int32{"com.microsoft:unheard-of": 501, "com.microsoft:schedule-message": 400, "com.microsoft:update-disposition": 400,
		"com.microsoft:receive-by-sequence-number": 400, "com.microsoft:get-session-state": 400, "com.microsoft:peek-message": 400} {
		c.request(1, amqp.Map{{Key: "operation", Value: operation}}, amqp.Map{})
		if m := c.message(); m.ApplicationProperties.Get("statusCode") != status {
			t.Errorf("%s with nothing: %v, want %d", operation, m.ApplicationProperties, status)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"}, servicebus.Queue{Name: "s", RequiresSession: true})
	c := newWire(w, "ANONYMOUS")
	c.begin()
	filter := amqp.Map{{Key: amqp.Symbol("com.microsoft:session-filter"), Value: "a"}}
	for name, test := range map[string]struct {
		attach *amqp.Attach
		want   amqp.Symbol
	}{
		"missing queue":          {&amqp.Attach{Receiver: true, Source: &amqp.Source{Address: "/none"}}, amqp.CondNotFound},
		"missing queue, sender":  {&amqp.Attach{Target: &amqp.Target{Address: "none"}}, amqp.CondNotFound},
		"missing management":     {&amqp.Attach{Target: &amqp.Target{Address: "none/$management"}}, amqp.CondNotFound},
		"no session":             {&amqp.Attach{Receiver: true, Source: &amqp.Source{Address: "s"}}, amqp.CondNotAllowed},
		"session not wanted":     {&amqp.Attach{Receiver: true, Source: &amqp.Source{Address: "q", Filter: filter}}, amqp.CondNotAllowed},
		"transaction controller": {&amqp.Attach{Target: &amqp.Target{Coordinator: true}}, amqp.CondNotImplemented},
		"no source":              {&amqp.Attach{Receiver: true}, amqp.CondInvalidField},
	} {
		test.attach.Name = name
		if got := c.refused(test.attach); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestTokenFirst(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	c := newWire(w, "ANONYMOUS")
	c.send(&amqp.Open{ContainerID: "c"}, nil)
	expect[*amqp.Open](c, amqp.FrameAMQP)
	c.send(&amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100}, nil)
	expect[*amqp.Begin](c, amqp.FrameAMQP)
	if got := c.refused(&amqp.Attach{Name: "s", Target: &amqp.Target{Address: "q"}}); got != amqp.CondUnauthorized {
		t.Errorf("without a token: %s", got)
	}
	c.attachSender(100, "$cbs")
	c.attachReceiver(&amqp.Attach{Name: "in", Handle: 101, Source: &amqp.Source{Address: "$cbs"}, Target: &amqp.Target{Address: "me"}})
	c.credit(101, 10)
	for _, bad := range []amqp.Map{
		{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "jwt"}, {Key: "name", Value: "sb://h/q"}},
		{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "other"}, {Key: "name", Value: "sb://h/q"}},
		{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "servicebus.windows.net:sastoken"}, {Key: "name", Value: "sb://h/q"}},
	} {
		c.request(100, bad, "not a token")
		if m := c.message(); m.ApplicationProperties.Get("status-code") != int32(401) {
			t.Errorf("a token that is none: %v", m.ApplicationProperties)
		}
	}
}

// A narrow window holds messages back until the client opens it.
func TestSessionWindow(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	c := newWire(w, "ANONYMOUS")
	c.begin() // uses one transfer frame for the answer to the token
	c.attachReceiver(&amqp.Attach{Name: "r", Handle: 0, Source: &amqp.Source{Address: "q"}, Target: &amqp.Target{}})
	for range 3 {
		w.must(w.Send("q", servicebus.Message{Body: bytes.Repeat([]byte("x"), 100<<10)})) // two frames each
	}
	window := func(n uint32, next uint32) {
		c.send(&amqp.Flow{NextIncomingID: &next, IncomingWindow: n, NextOutgoingID: 1, OutgoingWindow: 1, Handle: amqp.Ptr(uint32(0)),
			DeliveryCount: amqp.Ptr(uint32(0)), LinkCredit: amqp.Ptr(uint32(3)), Echo: true}, nil)
	}
	window(3, 1)
	for range 3 {
		expect[*amqp.Transfer](c, amqp.FrameAMQP)
	}
	window(3, 4)
	for range 3 {
		expect[*amqp.Transfer](c, amqp.FrameAMQP)
	}
	expect[*amqp.Flow](c, amqp.FrameAMQP) // the echoes come after what waited
	expect[*amqp.Flow](c, amqp.FrameAMQP)
}

func TestHeartbeat(t *testing.T) {
	w := newWorld(t)
	c := newWire(w, "ANONYMOUS")
	c.send(&amqp.Open{ContainerID: "c", IdleTimeOut: 40}, nil)
	if o := expect[*amqp.Open](c, amqp.FrameAMQP); o.IdleTimeOut == 0 {
		t.Error("the broker asks for no heartbeat")
	}
	for range 3 {
		if f, err := amqp.ReadFrame(c.nc, 1<<16); err != nil || f.Body != nil {
			t.Fatalf("read %+v, %v, want an empty frame", f, err)
		}
	}
}

func TestMalformedInput(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	for name, b := range map[string][]byte{
		"no performative":      {0, 0, 0, 9, 2, 0, 0, 0, 0x40},
		"frame too large":      {0x7f, 0, 0, 9, 2, 0, 0, 0, 0x40},
		"no session":           amqp.AppendFrame(nil, 0, 9, &amqp.Flow{}, nil),
		"channel too high":     amqp.AppendFrame(nil, 0, 60000, &amqp.Begin{}, nil),
		"unexpected frame":     amqp.AppendFrame(nil, 0, 0, &amqp.SASLOutcome{}, nil),
		"transfer, no link":    amqp.AppendFrame(nil, 0, 0, &amqp.Transfer{Handle: 99999}, nil),
		"session opened twice": append(amqp.AppendFrame(nil, 0, 1, &amqp.Begin{}, nil), amqp.AppendFrame(nil, 0, 1, &amqp.Begin{}, nil)...),
	} {
		c := newWire(w, "ANONYMOUS")
		c.begin()
		c.write(b)
		for {
			f, err := amqp.ReadFrame(c.nc, 1<<16)
			if err != nil {
				t.Errorf("%s: the connection ended without a close: %v", name, err)
				break
			}
			if end, ok := f.Body.(*amqp.Close); ok {
				if end.Error == nil {
					t.Errorf("%s: closed without a reason", name)
				}
				break
			}
		}
	}
	// A message that cannot be read is rejected, and the link goes on.
	c := newWire(w, "ANONYMOUS")
	c.begin()
	c.attachSender(0, "amqps://127.0.0.1/Q/")
	for id, payload := range [][]byte{[]byte("nonsense"), (&amqp.Message{}).Marshal()} {
		c.send(&amqp.Transfer{DeliveryID: amqp.Ptr(uint32(id)), DeliveryTag: []byte{1}}, payload)
		d := expect[*amqp.Disposition](c, amqp.FrameAMQP)
		if _, rejected := d.State.(amqp.Rejected); rejected != (id == 0) {
			t.Errorf("delivery %d: %+v", id, d.State)
		}
	}
	// So is one that is too large. JavaScript repeats the id with each part.
	for part := range 6 {
		c.send(&amqp.Transfer{DeliveryID: amqp.Ptr(uint32(2)), DeliveryTag: []byte{1}, More: part < 5}, make([]byte, 60000))
	}
	d := expect[*amqp.Disposition](c, amqp.FrameAMQP)
	if r, ok := d.State.(amqp.Rejected); !ok || d.First != 2 || r.Error.Condition != amqp.CondMessageSizeExceeded {
		t.Errorf("answer to too much: %+v", d)
	}
	// One that the client takes back half-way leaves nothing.
	c.send(&amqp.Transfer{DeliveryID: amqp.Ptr(uint32(3)), DeliveryTag: []byte{1}, More: true}, []byte("half"))
	c.send(&amqp.Transfer{Aborted: true}, nil)
	c.send(&amqp.Transfer{DeliveryID: amqp.Ptr(uint32(4)), DeliveryTag: []byte{1}}, (&amqp.Message{}).Marshal())
	if d := expect[*amqp.Disposition](c, amqp.FrameAMQP); d.First != 4 || d.State != (amqp.Accepted{}) {
		t.Errorf("after an aborted one: %+v", d)
	}
	w.counts("q", servicebus.Counts{Active: 2})
}
