package fanout

import (
	"sync/atomic"
	"time"
)

// setUp notes that a line listens, and tells it.
func (l *line) setUp() {
	l.mu.Lock()
	l.up = true
	again, scope := l.told, l.scope
	l.told = true
	l.mu.Unlock()
	r := l.r
	r.mu.Lock()
	if again {
		r.again++
	}
	n := r.again
	if !again {
		n = 0
	}
	r.judge("")
	r.mu.Unlock()
	if r.o.Hooks.Up != nil {
		r.notices.tell(func() { r.o.Hooks.Up(scope, n) })
	}
}

// setDown notes that a line does not listen and why, and tells it if it did before.
func (l *line) setDown(err error) {
	l.mu.Lock()
	was, scope := l.up, l.scope
	l.up = false
	l.session++ // what the old connection still says is over
	clear(l.live)
	l.mu.Unlock()
	r := l.r
	if r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	r.judge(err.Error())
	r.mu.Unlock()
	l.answer(nil, ErrDown)
	if was && r.o.Hooks.Down != nil {
		r.notices.tell(func() { r.o.Hooks.Down(scope, err) })
	}
}

// judge sets whether all lines listen. r.mu must be held.
func (r *Redis) judge(reason string) {
	up := true
	for _, ln := range r.lines {
		ln.mu.Lock()
		up = up && ln.up
		ln.mu.Unlock()
	}
	if up != r.up {
		r.up, r.since = up, time.Now()
	}
	switch {
	case up:
		r.reason = ""
	case reason != "":
		r.reason = reason
	}
}

// probes are the messages that a node sends itself.
type probes struct {
	sent    atomic.Uint64 // id of the last one
	at      atomic.Int64  // unix ns when that was sent
	under   atomic.Bool   // its reply is not there: no other one is sent
	taken   atomic.Uint64 // id of the last one that Redis took
	heard   atomic.Uint64 // id of the last one that came back
	arrival atomic.Bool   // something has come over the line since the last look
}

// silent reports that Redis has taken a probe that did not come back, nor anything
// else. One that waits behind others, or that Redis does not take, says nothing of the
// subscription.
func (p *probes) silent() bool {
	return !p.arrival.Swap(false) && p.taken.Load() > p.heard.Load()
}

// hello sends a probe to the node's own channel, if that is on this line.
func (l *line) hello() {
	r := l.r
	p := &r.probes
	if !l.probes || !p.under.CompareAndSwap(false, true) {
		return
	}
	e := Envelope{Kind: kindHello, ID: p.sent.Add(1), Fence: r.in.instance}
	p.at.Store(time.Now().UnixNano())
	r.Post(ToNode(r.o.Node), &e, func(receivers int, err error) {
		if err == nil {
			r.listeners.Store(int64(receivers))
			p.taken.Store(e.ID)
		}
		p.under.Store(false)
	})
}

// heard is called when an own probe comes back.
func (r *Redis) heard(id uint64) {
	r.probes.heard.Store(id)
	if id == r.probes.sent.Load() {
		r.roundTrip.Store(max(1, time.Now().UnixNano()-r.probes.at.Load()))
	}
}
