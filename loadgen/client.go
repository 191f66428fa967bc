package loadgen

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"roost/loadgen/plan"
	"roost/poller"
	device "roost/server/client"
	"roost/server/wire"
	"roost/server/ws"
)

// connState is what a connection costs us beside the poller's 32 bytes: 48,
// without pointers. A device has a session (device.go) besides.
//
//	dialing --101, checked--> hello --all frames expected unasked--> ready
//	   |                        |                                      |
//	   +------------------------+------- closed, refused, timeout -----+--> gone
type connState struct {
	began  int64       // when the dial began
	window plan.Window // broadcast: rounds that have arrived
	id     uint32      // number of the connection in this run
	parser uint32      // index + 1 in client.parsers while a message is cut
	sent   uint32      // echo: number of the next message
	got    uint32      // echo: number of the next answer
	stage  uint8
	hello  uint8       // frames still expected unasked
	conn   device.Conn // device: which of its session's connections this is
	slow   bool        // never reads
	again  bool        // device: not its first connection, which alone is counted
	owes   bool        // device: an acknowledgement waits
}

const (
	stageDialing = iota
	stageHello
	stageReady
	stageOver // failed or closing; counted
)

// role is what a loop's connections are for.
type role interface {
	// ready takes a connection that is through with its handshake.
	ready(pc poller.Conn, st *connState)
	// message takes a text or binary message; true if it was one of its own. A
	// device's other messages go to its session.
	message(pc poller.Conn, st *connState, ev *ws.Event) bool
	// deliver takes a message that a device's session has found to be new; true
	// if it was expected.
	deliver(st *connState, m *wire.Message) bool
	// turn does what is due, in each turn of a loop that spins or is paced.
	turn()
}

// client is the connections of one loop. Everything in it belongs to that loop,
// n excepted.
type client struct {
	s    *swarm
	l    *poller.Loop
	role role
	n    counters // written here, read anywhere

	conns    poller.Slab[connState]
	sessions poller.Slab[device.Session] // of devices, by their number on this loop
	keeper   *keeper                     // the role, in kept mode
	dial     dialing
	ending   bool // the run is over: what closes now is not lost

	// One parser serves every connection that is between messages; one in the
	// middle of a message keeps the parser it has.
	config      ws.Config
	spare       *ws.Parser
	parsers     []*ws.Parser
	freeParsers []uint32

	ev     ws.Event       // what is being handled; a local one would escape to the heap each time
	down   wire.Down      // as above
	failed map[string]int // handshakes
	lost   map[string]int // connections that were ready
	text   []byte         // a message that goes into out
	out    []byte         // a frame
	rng    *rand.PCG
}

// counters are written by one loop and read by anyone.
type counters struct {
	ready, failed, lost  atomic.Uint64 // connections
	cut                  atomic.Uint64 // slow connections that the server has ended
	established          atomic.Uint64 // handshakes that were in order
	readers              atomic.Uint64 // ready connections that read
	heartbeats, answers  atomic.Uint64 // sent; come back
	serverErrors         atomic.Uint64 // messages that say we were wrong
	unexpected           atomic.Uint64 // messages that nobody waits for
	acks                 atomic.Uint64 // sent, those on heartbeats excepted
	owed, paid           atomic.Uint64 // times that an acknowledgement came to wait, and no longer did
	repeats, skipped     atomic.Uint64 // kept messages that came again; holes that the node told of
	returned             atomic.Uint64 // devices that have come back
	sent, received       atomic.Uint64 // echo
	wrong, windowFull    atomic.Uint64 // echo
	finished             atomic.Uint64 // echo: 1 when no more is due
	delivered, completed atomic.Uint64 // broadcast: deliveries; rounds that all have
	_                    [64]byte
}

func newClient(s *swarm, l *poller.Loop) *client {
	c := &client{s: s, l: l, spare: new(ws.Parser), failed: map[string]int{}, lost: map[string]int{},
		rng: rand.NewPCG(s.seed, uint64(l.Index()))}
	largest := max(ws.DefaultLimit, s.opt.Size+4096)
	c.config = ws.Config{Role: ws.Client, Limits: ws.Limits{Frame: largest, Message: largest, Inflated: largest},
		Buffers: l.Buffers()}
	c.spare.Reset(&c.config)
	c.dial.latency = newRecorder()
	return c
}

// now reads the run's clock. The loop's own is read once a turn, which may be
// 500 messages long.
func (c *client) now() int64 { return c.s.clock.now() }

// mask returns a fresh key for a frame (RFC 6455, 5.3).
func (c *client) mask() [4]byte {
	v := c.rng.Uint64()
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

// Open sends the request for the upgrade.
func (c *client) Open(pc poller.Conn) { c.request(pc, c.conns.At(pc.Slot())) }

// Data takes what the server has sent.
func (c *client) Data(pc poller.Conn, b []byte) int {
	st := c.conns.At(pc.Slot())
	n := 0
	if st.stage == stageDialing {
		if n = c.response(pc, st, b); n == 0 || st.stage == stageOver {
			return n
		}
	}
	p := c.spare
	if st.parser != 0 {
		p = c.parsers[st.parser-1]
	}
	for n < len(b) && st.stage != stageOver {
		var k int
		var err error
		c.ev, k, err = p.Next(b[n:])
		n += k
		if err != nil {
			c.abandon(pc, st, err)
			break
		}
		switch c.ev.Kind {
		case ws.Short:
		case ws.Text, ws.Binary:
			c.message(pc, st, &c.ev)
		default:
			c.control(pc, st, &c.ev)
		}
	}
	c.keepParser(st, p)
	return len(b)
}

// message gives a message to whoever waits for it.
func (c *client) message(pc poller.Conn, st *connState, ev *ws.Event) {
	switch {
	case st.stage == stageReady && c.role.message(pc, st, ev):
	case c.s.devices():
		c.deviceMessage(pc, st, ev)
	case st.stage == stageHello:
		if st.hello--; st.hello == 0 {
			c.ready(pc, st)
		}
	default:
		c.n.unexpected.Add(1)
	}
}

// control answers a ping, or takes the server's close.
func (c *client) control(pc poller.Conn, st *connState, ev *ws.Event) {
	switch ev.Kind {
	case ws.Ping:
		c.out = ws.AppendMasked(c.out[:0], ws.OpPong, c.mask(), ev.Payload)
		pc.Write(c.out, poller.Control)
	case ws.Close:
		c.out = ws.AppendMaskedClose(c.out[:0], c.mask(), ws.CloseEcho(*ev), "")
		pc.Write(c.out, poller.Control)
		why := &closeError{code: ev.Code, reason: string(ev.Reason)}
		c.over(st, why)
		pc.Finish(why)
	}
}

// Drained does nothing: what waited is out.
func (c *client) Drained(poller.Conn) {}

// Timeout is the end of a handshake's time, or a heartbeat.
func (c *client) Timeout(pc poller.Conn) {
	st := c.conns.At(pc.Slot())
	if st.stage == stageReady {
		c.deviceTime(pc, st) // others have none
		return
	}
	c.abandon(pc, st, errTimeout)
}

// Closed counts a connection that ended by itself.
func (c *client) Closed(pc poller.Conn, why error) {
	st := c.conns.At(pc.Slot())
	if errors.Is(why, io.EOF) {
		why = errEOF
	}
	c.over(st, why)
	if st.parser != 0 {
		c.dropParser(st)
	}
	c.s.poke()
}

// abandon ends a connection because of err.
func (c *client) abandon(pc poller.Conn, st *connState, err error) {
	c.over(st, err)
	pc.Reset(err)
}

// over counts the end of a connection, once.
func (c *client) over(st *connState, why error) {
	stage := st.stage
	st.stage = stageOver
	if stage != stageOver && c.s.devices() {
		c.sessionOver(st, stage, why)
	}
	switch {
	case stage == stageOver || c.ending:
	case stage == stageReady && st.slow:
		c.n.cut.Add(1) // who does not read must expect that
	case stage == stageReady:
		c.lost[reason(why)]++
		c.n.lost.Add(1)
		c.s.poke()
	case st.again: // it goes on trying
	default:
		c.fail(stage, why)
		c.pump()
	}
}

// keepParser leaves the parser with the connection if a message is cut, and
// takes it back otherwise. An idle parser can go on with any connection.
func (c *client) keepParser(st *connState, p *ws.Parser) {
	if p.Idle() {
		p.Release()
		if st.parser != 0 {
			c.freeParsers = append(c.freeParsers, st.parser-1)
			st.parser = 0
		}
		return
	}
	if st.parser != 0 {
		return
	}
	if n := len(c.freeParsers); n > 0 {
		i := c.freeParsers[n-1]
		c.freeParsers = c.freeParsers[:n-1]
		c.parsers[i], c.spare = p, c.parsers[i]
		st.parser = i + 1
		return
	}
	c.spare = new(ws.Parser)
	c.spare.Reset(&c.config)
	c.parsers = append(c.parsers, p)
	st.parser = uint32(len(c.parsers))
}

// dropParser takes the parser of a connection that has ended.
func (c *client) dropParser(st *connState) {
	i := st.parser - 1
	st.parser = 0
	c.parsers[i].Reset(&c.config)
	c.freeParsers = append(c.freeParsers, i)
}

// spinner keeps a loop from sleeping: a task that posts itself again makes the
// next epoll_wait return at once.
type spinner struct{ c *client }

// Run is one turn.
func (t *spinner) Run(l *poller.Loop) {
	t.c.role.turn()
	if !t.c.ending {
		l.Post(t)
	}
}
