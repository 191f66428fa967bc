package dialect

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"roost/server/ws"
)

// rig drives a dialect over real sockets, as the engine does, on one goroutine:
// whatever it waits for it waits for in until.
type rig struct {
	t     *testing.T
	d     Dialect
	addr  string // of the server
	start time.Time
	conns []*rigConn
	last  uint8 // number given to a connection

	got      []string // deliveries, of all clients
	by       []uint32 // whose they are
	ready    int
	resumed  int
	replaced int
	failed   []error
	refused  []error
	redials  []uint32
	ended    []End
	waits    []time.Duration
}

// rigConn is a connection, and the Sink of what is done about it.
type rigConn struct {
	r       *rig
	i       uint32
	c       uint8
	nc      net.Conn
	parser  ws.Parser
	config  ws.Config
	greeted bool
	over    bool
	mute    bool // sends nothing
}

func newRig(t *testing.T, addr, name string, cfg Config) *rig {
	t.Helper()
	if cfg.Clients == 0 {
		cfg.Clients = 4
	}
	d, err := New(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, d: d, addr: addr, start: time.Now()}
	t.Cleanup(func() {
		for _, c := range r.conns {
			c.nc.Close()
		}
	})
	return r
}

func (r *rig) now() time.Duration { return time.Since(r.start) + time.Hour }

// dial connects client i and returns when the upgrade is answered. A refusal
// is told to the dialect and nil is returned.
func (r *rig) dial(i uint32) *rigConn {
	r.t.Helper()
	r.last++
	req := ws.ClientRequest{Host: r.addr, Key: ws.AppendKey(nil, [16]byte{byte(i), r.last})}
	r.d.Request(i, r.last, r.now(), &req)
	out, err := ws.AppendRequest(nil, &req)
	if err != nil {
		r.t.Fatalf("%v: %+v", err, req)
	}
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &rigConn{r: r, i: i, c: r.last, nc: nc, config: ws.Config{Role: ws.Client,
		Limits: ws.Limits{Frame: 1 << 20, Message: 1 << 20, Inflated: 1 << 20}}}
	c.parser.Reset(&c.config)
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := nc.Write(out); err != nil {
		r.t.Fatal(err)
	}
	var resp ws.Response
	var buf []byte
	for {
		n, bad := ws.ParseResponse(buf, &req, &resp)
		if errors.Is(bad, ws.ErrRefused) {
			nc.Close()
			r.waits = append(r.waits, r.d.Closed(i, c.c, r.now(), End{Status: resp.Status}))
			return nil
		}
		if bad == nil {
			r.conns = append(r.conns, c)
			r.d.Opened(i, c.c, r.now(), c)
			c.data(buf[n:])
			return c
		}
		if !errors.Is(bad, ws.ErrShort) {
			r.t.Fatalf("%v: %q", bad, buf)
		}
		more := make([]byte, 4096)
		k, err := nc.Read(more)
		if err != nil {
			r.t.Fatal(err)
		}
		buf = append(buf, more[:k]...)
	}
}

// data takes what came.
func (c *rigConn) data(b []byte) {
	for len(b) > 0 && !c.over {
		ev, n, err := c.parser.Next(b)
		b = b[n:]
		if err != nil {
			c.r.t.Fatalf("frames: %v", err)
		}
		switch ev.Kind {
		case ws.Text:
			c.r.d.Message(c.i, c.c, c.r.now(), ws.OpText, ev.Payload, c)
		case ws.Binary:
			c.r.d.Message(c.i, c.c, c.r.now(), ws.OpBinary, ev.Payload, c)
		case ws.Ping:
			c.Send(ws.OpPong, ev.Payload)
		case ws.Close:
			code := uint16(ev.Code)
			if code == 0 {
				code = 1005
			}
			c.end(End{Code: code, Reason: string(ev.Reason)})
		}
	}
}

// end closes a connection and tells the dialect.
func (c *rigConn) end(e End) {
	if c.over {
		return
	}
	c.over = true
	c.nc.Close()
	e.Greeted = c.greeted
	c.r.ended = append(c.r.ended, e)
	c.r.waits = append(c.r.waits, c.r.d.Closed(c.i, c.c, c.r.now(), e))
	c.r.conns = slices.DeleteFunc(c.r.conns, func(o *rigConn) bool { return o == c })
}

// until does what there is to do until ok; it fails the test after 10 s.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	buf := make([]byte, 64<<10)
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within 10 s; failed %v, ended %+v, got %q", what, r.failed, r.ended, r.got)
		}
		for _, c := range slices.Clone(r.conns) {
			if at := r.d.Deadline(c.i); at != 0 && at <= r.now() && !c.over {
				r.d.Time(c.i, c.c, r.now(), c)
			}
			if c.over {
				continue
			}
			c.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := c.nc.Read(buf)
			c.data(buf[:n])
			var timeout net.Error
			if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
				c.end(End{})
			}
		}
		for len(r.redials) > 0 {
			i := r.redials[0]
			r.redials = r.redials[1:]
			r.dial(i)
		}
	}
}

// Send implements Sink.
func (c *rigConn) Send(op ws.OpCode, payload []byte) {
	if c.mute {
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	c.nc.Write(ws.AppendMasked(nil, op, [4]byte{1, 2, 3, 4}, payload)) // a failure is read
}

// Ready implements Sink.
func (c *rigConn) Ready(resumed bool) {
	c.greeted = true
	c.r.ready++
	if resumed {
		c.r.resumed++
	}
}

// Deliver implements Sink.
func (c *rigConn) Deliver(payload []byte) {
	c.r.got = append(c.r.got, string(payload))
	c.r.by = append(c.r.by, c.i)
}

// Refused implements Sink.
func (c *rigConn) Refused(err error) { c.r.refused = append(c.r.refused, err) }

// Fail implements Sink.
func (c *rigConn) Fail(err error) {
	c.r.failed = append(c.r.failed, err)
	c.end(End{})
}

// Redial implements Sink.
func (c *rigConn) Redial(time.Duration) { c.r.redials = append(c.r.redials, c.i) }

// Replaced implements Sink.
func (c *rigConn) Replaced() { c.r.replaced++ }

// publish publishes m the way the dialect says; frames go out on c.
func (r *rig) publish(base string, c *rigConn, m *Message) error {
	r.t.Helper()
	if err := r.d.Supports(m.To, m.Class); err != nil {
		r.t.Fatal(err)
	}
	if r.d.Publishing(m.To) == BySocket {
		frame, op := r.d.AppendFrame(nil, c.i, m)
		c.Send(op, frame)
		return nil
	}
	var q HTTPRequest
	r.d.AppendRequest(nil, m, &q)
	req, err := http.NewRequest(q.Method, base+q.Path, bytes.NewReader(q.Body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", q.ContentType)
	for _, f := range q.Header {
		req.Header.Set(f.Name, f.Value)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return r.d.Answer(resp.StatusCode, body.Bytes())
}
