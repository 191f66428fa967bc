package swarm

import (
	"math/rand/v2"
	"sync"

	"roost/loadgen/dialect"
	"roost/loadgen/scenario"
	"roost/loadgen/stamp"
	"roost/poller"
	"roost/server/ws"
)

// Worker is a Swarm. It is also the handler of its loop: methods that Swarm does
// not name are for that loop alone.
type Worker struct {
	// Static after construction.
	cfg     Config
	s       *scenario.Scenario
	targets targets
	groups  groups
	total   uint32 // clients of all workers
	count   uint32 // clients of this one
	window  int    // handshakes at once
	topics  topicPlan
	p       *poller.Poller
	l       *poller.Loop
	pace    pacer
	config  ws.Config

	level gauges // written by the loop, read anywhere

	// tickMu covers the following: which histograms the last tick had.
	tickMu sync.Mutex
	used   []bool

	// Owned by the loop: clients and their connections.
	d       dialect.Dialect
	clients []client
	conns   poller.Slab[conn]
	dials   dials
	resumes timedHeap // connections that read at a rate, and are paused until then
	// pausedAt is when those that never read are looked at.
	pausedAt int64
	apis     []api
	posts    posts

	// Owned by the loop: what is being done.
	phase    *phase // nil before the first and between phases
	begun    int    // the last phase that has begun here; -1: none
	early    []early
	rec      recorder
	wanted   uint32 // clients of all workers that are meant to be connected: those below
	ledger   ledger
	unjudged ledger  // of those of whom nothing is expected
	past     []*past // phases that are settled, the oldest first
	cache    lastMessage
	ending   bool // what closes now is not lost
	rng      *rand.Rand

	// Owned by the loop: input and output. One parser serves every connection
	// that is between messages; one in the middle of a message keeps the parser
	// it has.
	spare       *ws.Parser
	parsers     []*ws.Parser
	freeParsers []uint32
	sink        sink
	request     ws.ClientRequest
	response    ws.Response
	ev          ws.Event // a local one would escape to the heap each time
	stamp       stamp.Stamp
	payload     []byte // that goes into text
	id          []byte // of a message
	answer      []byte // of an API
	text        []byte // a message that goes into out
	out         []byte
	http        dialect.HTTPRequest
	receipts    receipts
	message     dialect.Message
}

// client is a client whether or not it has a connection: 24 bytes.
//
//	idle --dial--> dialing --ready--> ready --ended--> away or idle
//	                  |                                  |
//	                  +--failed--> away or idle          +--dial--> dialing
type client struct {
	conn  poller.Handle // ready: its connection
	lost  int64         // away: since when
	group uint8
	state clientState
	flags clientFlags
	no    uint8 // number of the last connection that was dialed for it
	tries uint8 // dials in a row that have failed
	// current is the number of conn.
	current uint8
}

type clientState uint8

const (
	idle    clientState = iota // no connection, and none wanted
	dialing                    // and not connected
	ready                      // perhaps another one is being dialed as well
	away                       // waits in dials.queue
)

type clientFlags uint8

const (
	before    clientFlags = 1 << iota // was connected before
	stormed                           // cut by the storm of this phase
	slowed                            // reads slowly for this phase
	silenced                          // is half-open for this phase
	ramping                           // this is its dial in a ramp
	queued                            // waits in dials.queue
	underway                          // a handshake of it is under way
	replacing                         // wants another connection beside the one that it has
)

// now reads the run's clock. The loop's own is read once a turn, which may be
// 500 messages long.
func (w *Worker) now() int64 { return w.cfg.Clock.Now() }

// do runs f on the loop and waits for it. It reports false if the loop has
// ended.
func (w *Worker) do(f func()) bool {
	done := make(chan struct{})
	if !w.l.Post(poller.TaskFunc(func(*poller.Loop) {
		defer close(done)
		f()
	})) {
		return false
	}
	<-done
	return true
}

// Close ends all connections with a reset, which leaves no TIME_WAIT, and then
// the loop.
func (w *Worker) Close() {
	w.do(func() {
		w.pace.stop()
		w.ending = true
		w.l.Each(func(pc poller.Conn) bool {
			pc.Reset(errEnd)
			return true
		})
	})
	w.p.Close()
}
