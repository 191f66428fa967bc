package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"roost/server/wire"
)

// loop is one Run: the only owner of the session, the topics and the
// connections. The application's functions run elsewhere, in Run, so that a
// slow one does not keep heartbeats from going out; while one does, busy is
// set, no event of a connection is taken, and so nothing is read.
type loop struct {
	c       *Client
	s       Session
	start   time.Time
	links   map[Conn]*link // that the session knows
	retired *link          // the last that was replaced, or nil
	events  chan event     // of links
	tasks   chan task      // for Run
	handled chan struct{}  // the task has returned
	gone    chan struct{}  // closed when Run is left: no task returns any more
	quit    chan struct{}  // closed when events are not taken any more
	wg      sync.WaitGroup // of links
	err     error          // why the loop ended

	queue    []task // for Run: what one event gave, and a state
	busy     bool   // current is with Run
	current  task
	down     wire.Down
	out      []byte
	requests uint64 // numbers given
	limit    int    // largest message that the node takes
	saved    Saved  // what the store has
}

// task is a call of one of the application's functions.
type task struct {
	do     func()
	state  *State // for OnState; a later one overtakes it in the queue
	reader *link  // whose message it is: it waits until that is handled
}

func newLoop(c *Client, saved Saved) *loop {
	l := &loop{c: c, start: time.Now(), links: map[Conn]*link{}, events: make(chan event), tasks: make(chan task),
		handled: make(chan struct{}), gone: make(chan struct{}), quit: make(chan struct{}), saved: saved}
	l.s.Init(c.opt.Device, c.opt.Protocol, saved, rand.Uint64())
	return l
}

func (l *loop) now() time.Duration { return time.Since(l.start) }

// run is the loop until ctx is done or the node wants no more of us.
func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.err == nil {
		events, tasks, first := l.events, chan task(nil), task{}
		if l.busy || len(l.queue) > 0 {
			events = nil
		}
		if !l.busy && len(l.queue) > 0 {
			tasks, first = l.tasks, l.queue[0]
		}
		timer.Reset(l.s.NextDeadline() - l.now())
		select {
		case <-ctx.Done():
			l.err = context.Cause(ctx)
		case e := <-events:
			l.event(e)
		case tasks <- first:
			l.queue = l.queue[1:]
			l.busy, l.current = true, first
		case <-l.handled:
			l.done()
		case r := <-l.c.requests:
			l.request(r)
		case <-timer.C:
		}
		if l.err == nil {
			l.due()
		}
	}
	l.end()
}

// due does what the session wants by now.
func (l *loop) due() {
	for l.err == nil && l.s.NextDeadline() <= l.now() {
		current := l.links[l.s.Current()]
		out, next := l.s.OnTime(l.now(), l.out[:0])
		l.out = out
		if len(out) > 0 {
			l.save()
			current.message(l.c.opt.Protocol, out)
		}
		if next.Do == Reconnect && next.Drop == 0 {
			l.dial(next.URL)
			continue
		}
		l.follow(next)
	}
}

// dial begins a connection.
func (l *loop) dial(url string) {
	to := l.c.home
	if url != "" {
		t, err := parseTarget(url)
		if err != nil {
			l.c.opt.Log.Warn("address of another node", "url", url, "err", err)
			conn := l.s.Begin()
			l.follow(l.s.OnDialFailed(conn, l.now(), 0))
			return
		}
		to = t
	}
	conn := l.s.Begin()
	k := newLink(l, conn, to, string(l.s.ConnectQuery(nil)))
	l.links[conn] = k
	if l.s.Current() == 0 {
		l.tell(State{Phase: Connecting})
	}
	l.wg.Go(k.run)
}

// follow does what the session says behind the end of a connection.
func (l *loop) follow(next Next) {
	if k := l.links[next.Drop]; k != nil {
		l.c.opt.Log.Info("connection given up", "why", next.Err)
		delete(l.links, next.Drop)
		k.finish(CloseBack)
	}
	switch next.Do {
	case Stop:
		l.tell(State{Phase: Stopped, Err: next.Err})
		l.err = next.Err
	case Reconnect:
		if l.s.Current() == 0 {
			l.tell(State{Phase: Waiting, After: next.After, Err: next.Err})
		}
	}
}

// event takes what a link has to say, and lets it go on.
func (l *loop) event(e event) {
	known := l.links[e.link.conn] == e.link
	switch {
	case !known:
	case e.kind == linkHeard:
		l.s.Heard(e.link.conn, l.now())
	case e.kind == linkMessage:
		if l.message(e.link, e.data) {
			return // the link goes on when the message is handled
		}
	default:
		l.over(e)
	}
	e.link.resume <- struct{}{}
}

// over takes the end of a connection.
func (l *loop) over(e event) {
	delete(l.links, e.link.conn)
	var next Next
	switch e.kind {
	case linkFailed:
		if e.nobody {
			next = l.s.OnDialRefused(e.link.conn, l.now())
		} else {
			next = l.s.OnDialFailed(e.link.conn, l.now(), e.retry)
		}
	case linkClosed:
		next = l.s.OnClosed(e.link.conn, l.now(), uint16(e.code), e.reason)
	default:
		next = l.s.OnLost(e.link.conn, l.now())
	}
	l.c.opt.Log.Info("connection over", "why", e.err, "next", next.After)
	if next.Err == nil {
		next.Err = e.err
	}
	l.follow(next)
}

// message takes one message of a connection; true if the application has to
// handle it first.
func (l *loop) message(k *link, data []byte) (delivered bool) {
	e := l.s.OnMessage(k.conn, l.now(), data, &l.down)
	switch e.Kind {
	case Deliver:
		return l.deliver(k)
	case Skipped:
		if f := l.c.opt.OnSkip; f != nil {
			s := Skip{From: e.From, To: l.down.To, Why: string(l.down.Why)}
			l.queue = append(l.queue, task{do: func() { f(s) }})
		}
	case Welcome:
		l.welcome(k, &e)
	case Result:
		var err error
		if !l.down.OK {
			err = &wire.Error{Code: string(l.down.Code), Text: string(l.down.Text)}
		}
		l.c.topics.result(l.down.Request, err)
	case Refused:
		l.c.opt.Log.Warn("the node did not understand", "code", string(l.down.Code), "text", string(l.down.Text))
	case Away:
		l.c.opt.Log.Info("sent away", "code", l.down.Close, "in_ms", l.down.In, "url", string(l.down.URL))
	case Dropped:
		l.follow(e.Next)
	}
	return false
}

// deliver gives the message in l.down to the application, if that wants any.
func (l *loop) deliver(k *link) bool {
	f := l.c.opt.OnMessage
	if f == nil {
		l.s.Handled(l.now())
		return false
	}
	m := &l.down.Message
	payload := m.Payload
	if m.Raw {
		payload = l.down.AppendPayload(nil)
	}
	msg := Message{Seq: m.Seq, TTL: m.TTL, ID: string(m.ID), Topic: string(m.Channel), Payload: payload}
	l.queue = append(l.queue, task{do: func() { f(msg) }, reader: k})
	return true
}

// done takes note that the application's function has returned.
func (l *loop) done() {
	l.busy = false
	if k := l.current.reader; k != nil {
		l.s.Handled(l.now())
		k.resume <- struct{}{}
	}
}

// welcome makes k the current connection, with all that is wanted of it.
func (l *loop) welcome(k *link, e *Event) {
	w := &l.down.Welcome
	k.welcomed()
	if o := l.links[e.Old]; o != nil {
		delete(l.links, e.Old)
		l.retire(o)
	}
	l.limit = w.Max
	l.save()
	for _, name := range l.c.topics.names() {
		l.sendTopic(k, name)
	}
	l.tell(State{Phase: Connected, Node: w.Node, Resumed: w.Resumed || w.From != 0 && e.Gone == 0, Missed: e.Gone})
}

// retire leaves a replaced connection to the node, and cuts the one before:
// there is never more than one.
func (l *loop) retire(k *link) {
	if l.retired != nil {
		l.retired.finish(CloseDone)
	}
	l.retired = k
	k.retire()
}

// request takes one of the application's.
func (l *loop) request(r request) {
	k := l.links[l.s.Current()]
	switch {
	case r.up == nil && !l.c.topics.ask(r):
		r.reply <- ErrTopic
	case r.up == nil && k != nil:
		l.sendTopic(k, r.topic)
	case r.up == nil: // with the next welcome
	case k == nil:
		r.reply <- ErrNotConnected
	case l.limit > 0 && len(r.up) > l.limit:
		r.reply <- ErrTooBig
	default:
		k.message(l.c.opt.Protocol, r.up)
		r.reply <- nil
	}
}

func (l *loop) sendTopic(k *link, name string) {
	l.requests++
	l.out = l.c.topics.append(l.out[:0], l.c.opt.Protocol, name, l.requests)
	k.message(l.c.opt.Protocol, l.out)
}

// tell gives the application a state. One that it has not been told yet is
// overtaken.
func (l *loop) tell(s State) {
	l.c.setState(s)
	f := l.c.opt.OnState
	if f == nil {
		return
	}
	for i := range l.queue {
		if old := l.queue[i].state; old != nil {
			*old = s
			return
		}
	}
	state := &s
	l.queue = append(l.queue, task{do: func() { f(*state) }, state: state})
}

// save stores what should survive a restart, if it has changed.
func (l *loop) save() {
	v := l.s.Saved()
	if v == l.saved {
		return
	}
	if err := l.c.opt.Store.Save(v); err != nil {
		l.c.opt.Log.Error("could not store where the stream stands", "err", err)
		return
	}
	l.saved = v
}

// end waits for the application to handle what it has, closes all connections
// and waits for them. Links are let go before they are waited for.
func (l *loop) end() {
	if l.busy {
		select {
		case <-l.handled:
			l.done()
		case <-l.gone:
		}
	}
	l.out = l.s.AppendAck(l.out[:0])
	if k := l.links[l.s.Current()]; k != nil && len(l.out) > 0 {
		k.message(l.c.opt.Protocol, l.out)
	}
	l.save()
	for _, k := range l.links {
		k.finish(CloseDone)
	}
	if l.retired != nil {
		l.retired.finish(CloseDone)
	}
	close(l.quit)
	l.wg.Wait()
	l.c.topics.end()
	if !l.s.Stopped() {
		l.c.setState(State{Phase: Idle, Err: l.err})
	}
	close(l.tasks)
}
