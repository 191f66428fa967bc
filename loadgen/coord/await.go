package coord

import (
	"context"
	"fmt"
	"time"

	"roost/loadgen/redact"
	"roost/loadgen/workerpool"
)

// end says why a wait was over.
type end int

// Ends of a wait.
const (
	met         end = iota // its condition is true
	late                   // its time is over
	interrupted            // somebody ended the run
	broken                 // a threshold that ends the run does not hold
	crippled               // a worker was lost, and may not be
)

// await takes events until cond is true, or the instant at of the run's clock
// is over (0: never). Where stop is set it also ends by what ends a phase
// early.
func (r *run) await(cond func() bool, at int64, stop bool) end {
	var alarm <-chan time.Time
	if at != 0 {
		t := time.NewTimer(time.Duration(max(at-r.clock.Now(), 0)))
		defer t.Stop()
		alarm = t.C
	}
	var done <-chan struct{}
	if stop {
		done = r.ctx.Done()
	}
	for {
		switch {
		case r.crippled():
			return crippled
		case stop && r.ctx.Err() != nil:
			return interrupted
		case stop && r.broken != "":
			return broken
		case cond():
			return met
		}
		select {
		case e := <-r.pool.Events:
			r.take(e)
		case f := <-r.posts:
			f()
		case <-r.seconds.C:
			r.second()
		case <-alarm:
			return late
		case <-done:
		}
	}
}

// never is the condition of a wait for an instant.
func never() bool { return false }

// inBackground calls f on another goroutine, and what it returns on this one, in
// some later wait.
func (r *run) inBackground(f func(ctx context.Context) func()) {
	r.helpers.Go(func() {
		then := f(r.helping)
		select {
		case r.posts <- then:
		case <-r.helping.Done():
		}
	})
}

// take takes what a worker has said.
func (r *run) take(e workerpool.Event) {
	m := r.members[e.Member.Index]
	if !m.alive() {
		return
	}
	msg := e.Message
	switch {
	case e.Err != nil:
		r.lose(m, e.Err.Error())
	case msg.Fail != nil:
		r.shortfalls = append(r.shortfalls, msg.Fail.Shortfalls...)
		r.lose(m, msg.Fail.Error)
	case msg.Progress != nil:
		m.progress, m.fresh = *msg.Progress, true
	case msg.Pong != nil:
		m.Offset.Add(msg.Pong.At, e.At, msg.Pong.Own)
	case msg.Ready != nil:
		m.ready, m.clients, m.heard = true, msg.Ready.Clients, e.At
	case msg.Tick != nil:
		m.heard = e.At
		r.tick(m, msg.Tick, true)
	case msg.Finished != nil && len(m.refused)+len(msg.Finished.Refused) > maxRefusals:
		r.lose(m, fmt.Sprintf("more than %d messages were refused: too many to account for", maxRefusals))
	case msg.Finished != nil:
		m.heard = e.At
		m.refused = append(m.refused, msg.Finished.Refused...)
		m.finished, m.fresh = !msg.Finished.More, false
	case msg.Settled != nil:
		m.heard, m.settled = e.At, true
		r.tick(m, &msg.Settled.Tick, false)
	default:
		r.lose(m, "it said what only a coordinator says")
	}
}

// maxRefusals bounds the refusals of a worker in a phase.
const maxRefusals = 4_000_000

// lose takes note of a worker that is of no use any more, and ends it.
func (r *run) lose(m *member, why string) {
	if !m.alive() {
		return
	}
	m.lost = redact.Text(why)
	m.Kill()
	r.log("%s is lost: %s", m.name(), why)
	r.note("%s was lost %v after the run's begin: %s", m.name(), r.since(r.clock.Now()).Round(time.Millisecond), why)
}

// crippled reports whether the run cannot go on with the workers that are left.
func (r *run) crippled() bool {
	lost := r.lost()
	return lost == len(r.members) || lost > 0 && !r.o.AllowLoss
}

// lost counts the workers that are of no use any more.
func (r *run) lost() (n int) {
	for _, m := range r.members {
		if !m.alive() {
			n++
		}
	}
	return n
}

// all reports whether f is true of every worker that is there.
func (r *run) all(f func(*member) bool) bool {
	for _, m := range r.members {
		if m.alive() && !f(m) {
			return false
		}
	}
	return true
}

// stalled is how long this process may have been held up before silence is its
// own.
const stalled = 3 * time.Second

// second does what is done each second: it pings, finds those that hang, and
// shows the run.
func (r *run) second() {
	for range len(r.pool.Events) { // what has come already counts
		r.take(<-r.pool.Events)
	}
	now := r.clock.Now()
	if time.Duration(now-r.lastSecond) > stalled {
		r.note("the coordinator itself was held up for %v", time.Duration(now-r.lastSecond).Round(time.Millisecond))
		for _, m := range r.members {
			m.heard = now
		}
	}
	r.lastSecond = now
	for _, m := range r.members {
		if !m.alive() {
			continue
		}
		if silent := time.Duration(now - m.heard); m.ready && silent > r.hang() {
			r.lose(m, fmt.Sprintf("it hangs: no tick for %v", silent.Round(time.Millisecond)))
			continue
		}
		r.ping(m, now)
	}
	r.watch()
	r.show()
}

// hang is how long a worker may be silent.
func (r *run) hang() time.Duration {
	least := r.o.Hang
	if least == 0 {
		least = DefaultHang
	}
	return max(least, 3*r.s.Measure.Interval)
}
