package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/plan"
	"roost/poller"
	device "roost/server/client"
	"roost/server/ws"
)

// dialing is one loop's part of the connect phase.
type dialing struct {
	next, end int           // numbers of the loop's connections, from 0
	inflight  int           // handshakes under way
	window    int           // at most so many
	schedule  plan.Schedule // rate 0: as fast as the window lets
	start     int64
	latency   *recorder
}

var (
	errTimeout = errors.New("handshake timed out")
	errEOF     = errors.New("closed by the server without a close frame")
)

// statusError is a refused upgrade.
type statusError struct {
	status int
	after  time.Duration // Retry-After, in seconds
}

func (e *statusError) Error() string {
	if e.after > 0 {
		return fmt.Sprintf("refused with HTTP %d (retry after %.0f s)", e.status, e.after.Seconds())
	}
	return fmt.Sprintf("refused with HTTP %d", e.status)
}

// closeError is the server's close frame.
type closeError struct {
	code   ws.StatusCode
	reason string
}

func (e *closeError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("closed by the server with %d %s", e.code, e.reason))
}

// connect brings the number of connections up to total.
func (s *swarm) connect(ctx context.Context, total int) error {
	start := s.clock.now()
	s.each(func(c *client) {
		d := &c.dial
		d.end = (total + len(s.clients) - 1 - c.l.Index()) / len(s.clients)
		d.window = max(s.opt.Window/len(s.clients), 1)
		d.schedule = plan.Schedule{Rate: s.opt.ConnectRate / float64(len(s.clients))}
		d.start = start - int64(d.due(d.next))
		c.pump()
	})
	stop := s.pace(s.opt.ConnectRate > 0, pacePeriod, func(c *client) { c.pump() })
	defer stop()
	made := func() uint64 { return s.sum(func(n *counters) uint64 { return n.ready.Load() + n.failed.Load() }) }
	err := s.await(ctx, s.opt.Timeout+5*time.Second, made, func() bool { return made() >= uint64(total) })
	if errors.Is(err, errPatience) {
		return fmt.Errorf("connect: %d of %d connections are ready or refused, and nothing happens any more", made(), total)
	}
	return err
}

// pacePeriod is how often loops that may sleep are woken for what is due. Sends
// are late by half of it on average; a shorter one costs more CPU than it is
// worth.
const pacePeriod = 500 * time.Microsecond

// pace has every loop run f each period until stop is called, if needed.
func (s *swarm) pace(needed bool, period time.Duration, f func(c *client)) (stop func()) {
	if !needed {
		return func() {}
	}
	tasks := make([]poller.Task, len(s.clients))
	for i, c := range s.clients {
		tasks[i] = poller.TaskFunc(func(*poller.Loop) { f(c) })
	}
	return s.clock.every(period, func() {
		for i, c := range s.clients {
			c.l.Post(tasks[i])
		}
	})
}

// due returns when the loop's i-th dial is due, after start.
func (d *dialing) due(i int) time.Duration {
	if d.schedule.Rate == 0 {
		return 0
	}
	return d.schedule.Due(i)
}

// pump dials what is due, as far as the window lets.
func (c *client) pump() {
	d := &c.dial
	for d.next < d.end && d.inflight < d.window && c.now() >= d.start+int64(d.due(d.next)) {
		id := d.next*len(c.s.clients) + c.l.Index()
		d.next++
		if c.s.devices() {
			c.sessions.At(c.local(uint32(id))).Init(c.s.deviceName(uint32(id)), c.s.format, device.Saved{}, c.rng.Uint64())
		}
		d.inflight++
		if err := c.begin(uint32(id), false); err != nil {
			c.fail(stageDialing, err)
		}
	}
}

// begin dials for a connection.
func (c *client) begin(id uint32, again bool) error {
	st := connState{began: c.now(), id: id, again: again}
	if c.s.devices() {
		st.conn = c.session(&st).Begin()
	}
	pc, err := c.l.Dial(c.s.target.addr, c.s.source(int(id)))
	if err != nil {
		if c.s.devices() {
			c.sessionOver(&st, stageDialing, err)
		}
		return err
	}
	*c.conns.At(pc.Slot()) = st
	pc.SetDeadline(c.s.opt.Timeout)
	return nil
}

// fail counts a handshake that came to nothing.
func (c *client) fail(stage uint8, why error) {
	c.failed[reason(why)]++
	if stage == stageDialing {
		c.dial.inflight--
	}
	c.n.failed.Add(1)
	c.s.poke()
}

// nonce is the random part of a connection's key (RFC 6455, 4.1). It is made
// anew from the run's seed when the answer is checked, instead of kept.
func (c *client) nonce(st *connState) (n [16]byte) {
	g := rand.NewPCG(c.s.seed, uint64(st.id))
	for i := 0; i < len(n); i += 8 {
		v := g.Uint64()
		for k := range 8 {
			n[i+k] = byte(v >> (8 * k))
		}
	}
	return n
}

// upgradeRequest is the opening handshake of a connection, but for what follows
// the path, which the answer does not depend on.
func (c *client) upgradeRequest(st *connState, key []byte) *ws.ClientRequest {
	r := &ws.ClientRequest{Host: c.s.target.host, Path: c.s.target.path, Key: ws.AppendKey(key, c.nonce(st))}
	if c.s.devices() {
		r.Protocols = c.s.protocols
	}
	return r
}

// request sends the opening handshake.
func (c *client) request(pc poller.Conn, st *connState) {
	var key [24]byte
	r := c.upgradeRequest(st, key[:0])
	if c.s.devices() {
		c.text = c.session(st).ConnectQuery(append(c.text[:0], c.s.target.sep))
		r.Path += string(c.text)
	}
	out, err := ws.AppendRequest(c.out[:0], r)
	if err != nil {
		c.abandon(pc, st, err)
		return
	}
	c.out = out
	pc.Write(out, poller.Reliable)
}

// response takes the answer to the handshake and returns how many bytes it was,
// 0 while it is not whole.
func (c *client) response(pc poller.Conn, st *connState, b []byte) int {
	var key [24]byte
	var resp ws.Response
	n, err := ws.ParseResponse(b, c.upgradeRequest(st, key[:0]), &resp)
	switch {
	case errors.Is(err, ws.ErrShort):
		return 0
	case errors.Is(err, ws.ErrRefused):
		seconds, _ := strconv.ParseUint(string(resp.Get("retry-after")), 10, 31) // 0 for a date
		err = &statusError{status: resp.Status, after: time.Duration(seconds) * time.Second}
	}
	if err != nil {
		c.abandon(pc, st, err)
		return len(b)
	}
	if !st.again {
		c.n.established.Add(1)
		c.dial.latency.record(c.now() - st.began)
		c.dial.inflight--
	}
	st.stage, st.hello = stageHello, uint8(c.s.hello)
	if st.hello == 0 {
		c.ready(pc, st)
	}
	c.pump()
	return n
}

// ready makes the connection one that load can be put on.
func (c *client) ready(pc poller.Conn, st *connState) {
	st.stage = stageReady
	pc.SetDeadline(0)
	if c.s.devices() {
		c.arm(pc, st, c.since())
	}
	if st.again {
		c.n.returned.Add(1)
		return
	}
	if st.slow = c.s.isSlow(st.id); st.slow {
		pc.Pause()
	} else {
		c.n.readers.Add(1)
	}
	c.role.ready(pc, st)
	c.n.ready.Add(1)
	c.s.poke()
}

// isSlow spreads the share of slow connections evenly over the numbers.
func (s *swarm) isSlow(id uint32) bool {
	f := s.opt.Slow
	return int(float64(id+1)*f) > int(float64(id)*f)
}

// reason words an error as a class to be counted.
func reason(err error) string {
	for _, known := range []error{unix.EADDRNOTAVAIL, unix.ECONNREFUSED, unix.ECONNRESET, unix.EMFILE,
		unix.ENFILE, unix.ETIMEDOUT, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EPIPE} {
		if errors.Is(err, known) {
			return fmt.Sprintf("%s: %v", unix.ErrnoName(known.(syscall.Errno)), known)
		}
	}
	return err.Error()
}

// advice says what can be done about a reason.
var advice = []struct{ part, what string }{
	{"EADDRNOTAVAIL", "no free port on a source address, or not an address of this machine: give more with --sources, or widen net.ipv4.ip_local_port_range"},
	{"ECONNREFUSED", "nobody listens there: is the server up, and is --url right?"},
	{"EMFILE", "out of descriptors: raise ulimit -n or use several generators"},
	{"ECONNRESET", "the server cut it off: look at its log; a full accept queue does this too (net.core.somaxconn)"},
	{"timed out", "the server did not answer within --timeout: use a smaller --window or --connect-rate"},
	{"HTTP 503", "the server is full or going down: look at its limits"},
	{"HTTP 404", "no such path: roost serves /v1/connect, and /v1/echo with --echo"},
	{"HTTP 400", "the server does not like the request: is it a roost? then --peer must not be given, else it must"},
	{"HTTP 429", "the server limits the rate: use --connect-rate"},
	{"Sec-WebSocket-Accept", "the server is no WebSocket server, or a proxy answered"},
}

// explain lists reasons, the most frequent first, with what to do about them.
func explain(failed map[string]int) (lines []string) {
	reasons := make([]string, 0, len(failed))
	for why := range failed {
		reasons = append(reasons, why)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if d := failed[b] - failed[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, why := range reasons {
		line := fmt.Sprintf("%d x %s", failed[why], why)
		for _, a := range advice {
			if strings.Contains(why, a.part) {
				line += "; " + a.what
				break
			}
		}
		lines = append(lines, line)
	}
	return lines
}
