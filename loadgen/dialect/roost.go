package dialect

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"roost/server/client"
	"roost/server/wire"
	"roost/server/ws"
)

// roost is docs/PROTOCOL.md. What a device must do is a client.Session's
// business; here it is driven.
type roost struct {
	cfg     Config
	format  wire.Format
	op      ws.OpCode // of the format
	publish string    // path
	path    string    // of the URL, up to where the session's part of the query goes
	offers  [1]string // subprotocols

	devices []device

	down wire.Down // the message that is being handled
	text []byte    // what is being said; a path
	name []byte    // of a topic
	raw  []byte    // a payload that came as base64
}

// device is a client: 184 bytes, and its name. Kept messages with an id cost 8
// bytes more each, up to 1,000 of them: a device has to remember them.
type device struct {
	session client.Session
	links   [2]link // of the engine's connections, the last one dialed in [1]
	flags   deviceFlags
}

// link is what the session calls one of the engine's connections.
type link struct {
	conn uint8
	of   client.Conn // 0: none
}

type deviceFlags uint8

const (
	known       deviceFlags = 1 << iota // the session is begun
	begun                               // links[1] is a dial that was asked for by Redial, without a number yet
	resuming                            // it said what it had; behind the welcome: and goes on there
	replacing                           // behind the welcome: there was a connection before
	subscribing                         // had its welcome, waits for its topics
)

func newRoost(cfg Config) (Dialect, error) {
	r := &roost{cfg: cfg, devices: make([]device, cfg.Clients)}
	switch cfg.Format {
	case "", "json":
		r.format, r.op = wire.JSON, ws.OpText
	case "bin":
		r.format, r.op = wire.Binary, ws.OpBinary
	default:
		return nil, fmt.Errorf("format %q: want json or bin", cfg.Format)
	}
	a, err := parseAPI(cfg.API)
	if err != nil {
		return nil, err
	}
	r.publish = a.prefix + "/v1/publish"
	r.offers[0] = r.format.String()
	r.path = queryPath(cfg.Path, "/v1/connect")
	return r, nil
}

// queryPath returns path, ready for a parameter to be appended; instead stands
// for a path that is none.
func queryPath(path, instead string) string {
	if path == "" || path == "/" {
		path = instead
	}
	for i := range len(path) {
		if path[i] == '?' {
			return path + "&"
		}
	}
	return path + "?"
}

// device returns client i; its session begins when it is first asked for.
func (r *roost) device(i uint32) *device {
	v := &r.devices[i]
	if v.flags&known == 0 {
		name := r.cfg.Name(i)
		v.session.Init(name, r.format, client.Saved{}, r.cfg.Seed^nameHash(name))
		v.flags = known
	}
	return v
}

// nameHash gives each name randomness of its own, the same in whichever worker.
func nameHash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// of returns what the session calls connection c, 0 if nothing.
func (v *device) of(c uint8) client.Conn {
	switch {
	case v.links[1].of != 0 && v.links[1].conn == c && v.flags&begun == 0:
		return v.links[1].of
	case v.links[0].conn == c:
		return v.links[0].of
	}
	return 0
}

// begin takes note of a dial. The connection that it is to replace, if there is
// one, stays known.
func (v *device) begin() {
	if last := v.links[1]; last.of != 0 && last.of == v.session.Current() {
		v.links[0] = last
	}
	v.links[1] = link{of: v.session.Begin()}
}

// Request says who the device is, what it had and its topics.
func (r *roost) Request(i uint32, c uint8, _ time.Duration, q *ws.ClientRequest) {
	v := r.device(i)
	if v.flags&begun == 0 {
		v.begin()
	}
	v.links[1].conn = c
	v.flags &^= begun | resuming | replacing | subscribing
	r.text = append(r.text[:0], r.path...)
	if r.cfg.Resume || v.session.Current() != 0 {
		from := len(r.text)
		r.text = v.session.ConnectQuery(r.text)
		if hasEpoch(r.text[from:]) {
			v.flags |= resuming
		}
	} else {
		r.text = appendParam(r.text, "device=", v.session.Device())
	}
	for _, topic := range r.cfg.topics(i) {
		r.text = appendParam(r.text, "&topic=", topic)
	}
	q.Path, q.Protocols, q.Header = string(r.text), r.offers[:], nil
}

// Opened does nothing: the node speaks first.
func (r *roost) Opened(uint32, uint8, time.Duration, Sink) {}

var (
	errGreeting = errors.New("the first message is not a welcome: is it a roost?")
	errForm     = errors.New("a message of the other form: text for binary or the reverse")
)

// Message has the session judge a message and does what comes of it.
func (r *roost) Message(i uint32, c uint8, now time.Duration, op ws.OpCode, payload []byte, s Sink) {
	v := r.device(i)
	conn := v.of(c)
	if conn == 0 {
		return
	}
	if op != r.op {
		s.Send(ws.OpClose, closeBack)
		s.Fail(errForm)
		return
	}
	if text, ok := r.live(v, conn, payload); ok {
		v.session.Heard(conn, now)
		s.Deliver(text)
		r.due(v, conn, now, s)
		return
	}
	e := v.session.OnMessage(conn, now, payload, &r.down)
	switch e.Kind {
	case client.Welcome:
		r.welcome(i, v, e.Old != 0, s)
	case client.Result:
		if conn != v.session.Current() || v.flags&subscribing == 0 || r.down.Request != topicsAsked {
			break
		}
		if !r.down.OK {
			s.Send(ws.OpClose, closeBack)
			s.Fail(fmt.Errorf("topics: refused: %s: %s", r.down.Code, clip(r.down.Text)))
			return
		}
		v.ready(s)
	case client.Deliver:
		s.Deliver(r.payload())
		v.session.Handled(now)
	case client.Dropped:
		r.giveUp(e.Next.Err, s)
		return
	}
	r.due(v, conn, now, s)
}

// due says at once what cannot wait: half a window to acknowledge.
func (r *roost) due(v *device, conn client.Conn, now time.Duration, s Sink) {
	if conn == v.session.Current() && v.session.NextDeadline() <= now {
		r.speak(v, now, s)
	}
}

// topicsAsked numbers the request that ends the greeting of a device with
// topics.
const topicsAsked = 1

// welcome ends the greeting, unless there are topics. Those of the query are
// stored behind the welcome, so a message that is published now may miss them.
// The node answers a subscription when those before it are stored: asking for
// the last one again is how to know.
func (r *roost) welcome(i uint32, v *device, old bool, s Sink) {
	if !r.down.Welcome.Resumed {
		v.flags &^= resuming
	}
	if old {
		v.flags |= replacing
	}
	topics := r.cfg.topics(i)
	if len(topics) == 0 {
		v.ready(s)
		return
	}
	v.flags |= subscribing
	r.name = append(r.name[:0], topics[len(topics)-1]...)
	r.text = wire.AppendUp(r.text[:0], r.format, &wire.Up{Op: wire.OpSubscribe, Request: topicsAsked, Channel: r.name})
	s.Send(r.op, r.text)
}

// ready says so.
func (v *device) ready(s Sink) {
	v.flags &^= subscribing
	s.Ready(v.flags&resuming != 0)
	if v.flags&replacing != 0 {
		v.flags &^= replacing
		s.Replaced()
	}
}

// payload returns what was published.
func (r *roost) payload() []byte {
	if m := &r.down.Message; !m.Raw {
		return unquoted(m.Payload)
	}
	r.raw = r.down.AppendPayload(r.raw[:0])
	return r.raw
}

// closeBack is the payload of the close frame of a client that means to come
// back.
var closeBack = []byte{byte(client.CloseBack >> 8), byte(client.CloseBack & 0xff)}

// giveUp ends a connection that the session has left.
func (r *roost) giveUp(why error, s Sink) {
	if errors.Is(why, client.ErrWelcome) {
		why = errGreeting
	}
	s.Send(ws.OpClose, closeBack)
	s.Fail(why)
}

// Deadline is the session's while there is a connection; without one Closed has
// said when to dial.
func (r *roost) Deadline(i uint32) time.Duration {
	v := r.device(i)
	at := v.session.NextDeadline()
	if v.session.Current() == 0 || at == never {
		return 0
	}
	return max(at, 1)
}

// never is how a session says so.
const never = time.Duration(1<<63 - 1)

// Time says what is due: a heartbeat, an acknowledgement, a dial, or the end of
// patience with a node that says nothing.
func (r *roost) Time(i uint32, c uint8, now time.Duration, s Sink) {
	v := r.device(i)
	if conn := v.of(c); conn != 0 && conn == v.session.Current() {
		r.speak(v, now, s)
	}
}

// speak does what is due on the current connection.
func (r *roost) speak(v *device, now time.Duration, s Sink) {
	out, next := v.session.OnTime(now, r.text[:0])
	r.text = out
	if next.Drop != 0 {
		r.giveUp(next.Err, s)
		return
	}
	if len(out) > 0 {
		s.Send(r.op, out)
	}
	if next.Do == client.Reconnect {
		v.begin() // or it would ask until the engine has found the time to dial
		v.flags |= begun
		s.Redial(0)
	}
}

// Heard is a life sign that nobody could read.
func (r *roost) Heard(i uint32, c uint8, now time.Duration) {
	v := r.device(i)
	v.session.Heard(v.of(c), now)
}

// Forget begins anew.
func (r *roost) Forget(i uint32) { r.devices[i] = device{} }

// Closed tells the session how it ended.
func (r *roost) Closed(i uint32, c uint8, now time.Duration, end End) time.Duration {
	v := r.device(i)
	conn := v.of(c)
	switch {
	case end.Code != 0:
		v.session.OnClosed(conn, now, end.Code, end.Reason)
	case conn == v.session.Current(): // perhaps before it was subscribed, that is before Ready
		v.session.OnLost(conn, now)
	case end.Nobody || end.RetryAfter == 0 && 502 <= end.Status && end.Status <= 504:
		v.session.OnDialRefused(conn, now)
	default:
		v.session.OnDialFailed(conn, now, end.RetryAfter)
	}
	at := v.session.NextDeadline()
	if v.session.Current() != 0 || at == never {
		return -1
	}
	return max(at-now, 0)
}
