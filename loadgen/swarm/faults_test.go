package swarm

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// TestEveryFaultIsCounted: a server that drops, repeats, holds back and damages
// by a plan that is drawn at random is found out to the message.
func TestEveryFaultIsCounted(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) { everyFault(t, seed) })
	}
}

func everyFault(t *testing.T, seed uint64) {
	const clients = 20
	rng := rand.New(rand.NewPCG(seed, 1))
	var dropped, doubled, damaged, refusals int
	held := make([][]byte, clients)
	f := &fake{}
	f.cast = func(conn, _ int, payload []byte) [][]byte {
		out := [][]byte{payload}
		switch p := rng.IntN(100); {
		case p < 5:
			dropped++
			out = nil
		case p < 10:
			doubled++
			out = append(out, payload)
		case p < 15:
			damaged++
			bad := bytes.Clone(payload)
			bad[rng.IntN(len(bad)-4)+4] ^= 1
			out = [][]byte{bad}
		case p < 20 && held[conn] == nil:
			held[conn] = bytes.Clone(payload)
			return nil
		}
		if held[conn] != nil && rng.IntN(3) == 0 {
			out = append(out, held[conn])
			held[conn] = nil
		}
		return out
	}
	f.refuse = func(message int) int {
		if message%10 == 3 {
			refusals++
			return 429
		}
		return 0
	}
	newFake(t, f)
	workers := 1 + int(seed%3)
	r := newRig(t, f.plain(clients, ramp(clients), publish(scenario.ToAll, 400, 500*time.Millisecond)), workers)
	r.run(0)
	r.begin(1)
	r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
	r.await("all that was sent", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return r.tick().Total().BytesIn == f.bytes
	})
	r.finish(nil)
	c := r.sum.Total()
	r.conserve(c)
	f.mu.Lock() // for the race detector
	defer f.mu.Unlock()
	lost := dropped + damaged
	for _, h := range held {
		if h != nil {
			lost++
		}
	}
	expected := (200 - refusals) * clients
	if int(c.Refused) != refusals || int(c.Expected) != expected || int(c.Missing) != lost || c.Gap != 0 ||
		int(c.Duplicate) != doubled || int(c.Wrong) != damaged || c.Stray != 0 {
		t.Errorf("seed %d, %d workers: dropped %d, doubled %d, damaged %d, refused %d, expected %d, lost %d:\n%+v", seed, workers, dropped, doubled, damaged, refusals, expected, lost, c)
	}
	if h := r.sum.Groups[0].Hists[tally.Delivery]; h.Misses != c.Missing || h.Count() != c.Expected {
		t.Errorf("seed %d: %d misses of %d in the histogram, missing %d of %d", seed, h.Misses, h.Count(), c.Missing, c.Expected)
	}
	if n := r.sum.Errors.Lines(); refusals > 0 && (len(n) != 1 || n[0].Class != "HTTP 429" || int(n[0].N) != refusals) {
		t.Errorf("errors %+v", n)
	}
}

// TestForeignText: what has no stamp, and what is empty, is no delivery, also
// right behind one to somebody else.
func TestForeignText(t *testing.T) {
	f := &fake{}
	f.cast = func(conn, _ int, payload []byte) [][]byte {
		if conn == 1 {
			return [][]byte{[]byte("zzz"), {}}
		}
		return [][]byte{payload}
	}
	newFake(t, f)
	r := newRig(t, f.plain(2, ramp(2), publish(scenario.ToAll, 50, 200*time.Millisecond)), 1)
	r.run(0)
	c := r.run(1)
	if c.Delivered != 10 || c.Missing != 10 || c.Foreign != 20 || c.Wrong+c.Stray+c.Duplicate != 0 {
		t.Errorf("%+v", c)
	}
}

// TestFailedDialsAreClassed: what a server does to those who dial is told apart.
func TestFailedDialsAreClassed(t *testing.T) {
	for _, c := range []struct {
		name  string
		f     *fake
		url   string
		stage string
		class string
	}{
		{"refused", &fake{}, "ws://127.0.0.1:1/", "dial", "ECONNREFUSED"},
		{"503", &fake{status: 503}, "", "upgrade", "HTTP 503"},
		{"silent", &fake{mute: true}, "", "upgrade", "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.f)
			s := f.plain(10, ramp(10))
			s.Clients.Timeout = 200 * time.Millisecond
			if c.url != "" {
				s.Target.URLs = []string{c.url}
			}
			r := newRig(t, s, 1)
			n := r.run(0)
			r.await("dials", func() bool { return r.progress().Dialed == 10 })
			r.tick()
			n = r.sum.Total()
			if n.Dials != 10 || n.Failed != 10 || n.Ready != 0 {
				t.Errorf("%+v", n)
			}
			lines := r.sum.Errors.Lines()
			if len(lines) != 1 || lines[0].Stage != c.stage || lines[0].Class != c.class || lines[0].N != 10 {
				t.Errorf("%+v", lines)
			}
		})
	}
}

// TestUnansweredPublishesAreUnknown: an API that hangs holds nobody up for ever,
// and what it was told is owed: it never said no.
func TestUnansweredPublishesAreUnknown(t *testing.T) {
	f := &fake{}
	release := make(chan struct{})
	hang := atomic.Bool{}
	f.refuse = func(int) int {
		if hang.CompareAndSwap(false, true) {
			f.mu.Unlock()
			<-release
			f.mu.Lock()
		}
		return 0
	}
	newFake(t, f)
	t.Cleanup(func() { close(release) }) // before the fake waits
	s := f.plain(5, ramp(5), publish(scenario.ToAll, 100, 100*time.Millisecond))
	s.Clients.Timeout = 300 * time.Millisecond
	r := newRig(t, s, 1)
	r.run(0)
	c := r.run(1)
	if c.Unknown != 1 || c.Sent != 10 || c.Missing != 5 || c.Expected != 10*5 {
		t.Errorf("%+v", c)
	}
}

// TestAPIThatIsDown: what could not be published is refused, not lost.
func TestAPIThatIsDown(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(5, ramp(5), publish(scenario.ToAll, 200, 100*time.Millisecond))
	s.Target.APIs = []string{"http://127.0.0.1:1"}
	r := newRig(t, s, 2)
	r.run(0)
	c := r.run(1)
	if c.Refused != 20 || c.Sent != 20 || c.Unsent != 0 || c.Expected != 0 || c.Missing != 0 {
		t.Errorf("%+v", c)
	}
	if l := r.sum.Errors.Lines(); len(l) != 1 || l[0].Stage != "publish" || l[0].Class != "ECONNREFUSED" {
		t.Errorf("%+v", l)
	}
}

// TestAPIThatHangs: what it does not answer, and what waits behind that, is
// unknown, and owed: the generator has kept its plan.
func TestAPIThatHangs(t *testing.T) {
	f := &fake{}
	release := make(chan struct{})
	f.refuse = func(int) int {
		f.mu.Unlock()
		<-release
		f.mu.Lock()
		return 0
	}
	newFake(t, f)
	t.Cleanup(func() { close(release) }) // before the fake waits
	r := newRig(t, f.plain(5, ramp(5), publish(scenario.ToAll, 1000, 200*time.Millisecond)), 1)
	r.run(0)
	w := r.workers[0]
	const most = 16
	w.do(func() { w.posts.most = most })
	r.begin(1)
	r.await("a full pool", func() bool { return w.Progress().Pending == most })
	await(t, "tries", func() bool {
		r.tick()
		return r.sum.Hists[tally.SendLag].Count() == 200
	}, r.progress)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	list, err := w.Finish(ctx, r.clock.Now())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	w.Settle(list)
	c := r.tick().Total()
	r.conserve(c)
	if len(list) != 0 || c.Sent != 200 || c.Unsent != 0 || c.Unknown != 200 || c.Missing != 5*200 || c.Expected != c.Missing {
		t.Errorf("%d in the list: %+v", len(list), c)
	}
	if x := r.sum.Waits; len(x) != 1 || x[0].Messages == 0 || x[0].Messages > 200-most || x[0].Requests != most {
		t.Errorf("waits %+v", x)
	}
	if n := r.sum.Hists[tally.SendLag].Count(); n != 200 {
		t.Errorf("%d lags", n)
	}
	if _, err := w.Finish(context.Background(), 0); !errors.Is(err, ErrNoPhase) {
		t.Errorf("finished twice: %v", err)
	}
}

// TestSlowAPI: what waits for its answers is not the generator's lag.
func TestSlowAPI(t *testing.T) {
	f := &fake{}
	f.refuse = func(int) int {
		f.mu.Unlock()
		time.Sleep(300 * time.Millisecond) // it is that slow
		f.mu.Lock()
		return 0
	}
	newFake(t, f)
	r := newRig(t, f.plain(2, ramp(2), publish(scenario.ToAll, 200, 500*time.Millisecond)), 1)
	r.run(0)
	w := r.workers[0]
	w.do(func() { w.posts.most = 8 })
	r.begin(1)
	r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
	r.finish(nil)
	c := r.sum.Total()
	r.conserve(c)
	lag, ack := r.sum.Hists[tally.SendLag], r.sum.Hists[tally.PublishAck]
	if c.Sent != 100 || c.Unknown != 0 || lag.Count() != 100 || ack.Count() != 100 {
		t.Errorf("%+v: %d lags, %d answers", c, lag.Count(), ack.Count())
	}
	// 100 messages by 8 each 0.3 s take 3.6 s, and the generator none of it.
	if ack.Max() < int64(3*time.Second) || lag.Quantile(.5) > int64(time.Second) {
		t.Errorf("answers after %d ns, lag %d ns", ack.Max(), lag.Quantile(.5))
	}
}

// TestRefusedByAll: a message to all leaves the accounts when every API has
// refused it, and not when only some have.
func TestRefusedByAll(t *testing.T) {
	for _, both := range []bool{false, true} {
		a, b := &fake{}, &fake{}
		a.refuse = func(int) int { return 503 }
		if both {
			b.refuse = a.refuse
		}
		newFake(t, a)
		newFake(t, b)
		s := a.plain(10, ramp(10), publish(scenario.ToAll, 100, 100*time.Millisecond))
		s.Target.URLs = append(s.Target.URLs, "ws://"+b.ln.Addr().String()+"/")
		s.Target.APIs = append(s.Target.APIs, b.api.URL)
		r := newRig(t, s, 2)
		r.run(0)
		want := tally.Counts{Expected: 100, Delivered: 50, Missing: 50}
		if both {
			want = tally.Counts{}
		}
		if c := r.run(1); c.Sent != 10 || c.Refused != 10 || c.Expected != want.Expected || c.Delivered != want.Delivered || c.Missing != want.Missing {
			t.Errorf("both %v: %+v", both, c)
		}
	}
}

// TestOutageIsInTheLatency of what clients would have sent to themselves.
func TestOutageIsInTheLatency(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(10, ramp(10), publish(scenario.ToSelf, 400, 500*time.Millisecond))
	s.Reconnect = scenario.Reconnect{Policy: scenario.PolicyFixed, Base: 200 * time.Millisecond}
	r := newRig(t, s, 2)
	r.run(0)
	r.begin(1)
	r.await("begin", func() bool { return r.tick().Total().Delivered > 20 })
	f.cut(func(i int) bool { return i%2 == 0 })
	r.await("plan", func() bool { return r.progress().PlanDone })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	h := r.sum.Groups[0].Hists[tally.Delivery]
	if c.Planned != 200 || c.Sent != 200 || c.Expected != 200 || c.Gap == 0 || h.Misses != c.Gap+c.Missing || h.Count() != 200 {
		t.Errorf("%+v: %d misses of %d", c, h.Misses, h.Count())
	}
}

// TestNoTurnsWhileAnswersAreWaitedFor: the end of a plan that is over is no
// reason for a turn.
func TestNoTurnsWhileAnswersAreWaitedFor(t *testing.T) {
	f := &fake{}
	release := make(chan struct{})
	f.refuse = func(int) int {
		f.mu.Unlock()
		<-release
		f.mu.Lock()
		return 0
	}
	newFake(t, f)
	r := newRig(t, f.plain(5, ramp(5), publish(scenario.ToAll, 200, 100*time.Millisecond)), 1)
	r.run(0)
	r.begin(1)
	w := r.workers[0]
	r.await("requests", func() bool { p := w.Progress(); return p.PlanDone && p.Pending == 20 })
	finished := make(chan error, 1)
	go func() {
		_, err := w.Finish(t.Context(), r.clock.Now())
		finished <- err
	}()
	next := int64(0)
	r.await("Finish", func() (waits bool) {
		w.do(func() { next, waits = w.nextDue(), w.phase.finished != nil && w.now() >= w.phase.end })
		return waits
	})
	if now := r.clock.Now(); next <= now {
		t.Errorf("the next turn was due %d ns ago", now-next)
	}
	close(release)
	if err := <-finished; err != nil {
		t.Error(err)
	}
	for _, w := range r.workers {
		w.Settle(nil)
	}
}

// TestSeveralPhasesFollow: accounts begin anew with each phase. A message of one
// that is settled is late where it comes, and after that a duplicate.
func TestSeveralPhasesFollow(t *testing.T) {
	f := newFake(t, &fake{})
	var held [][]byte
	f.mu.Lock()
	f.cast = func(conn, message int, payload []byte) [][]byte {
		if conn == 0 && message == 3 { // comes in the next phase
			held = append(held, bytes.Clone(payload), bytes.Clone(payload))
			return nil
		}
		if conn == 1 && message == 3 { // and again
			held = append(held, bytes.Clone(payload))
		}
		if out := held; conn <= 1 && message == 20 {
			return append(out[2*conn:2+conn:2+conn], payload)
		}
		return [][]byte{payload}
	}
	f.mu.Unlock()
	p := publish(scenario.ToAll, 100, 200*time.Millisecond)
	r := newRig(t, f.plain(10, ramp(10), p, p, p), 2)
	r.run(0)
	for i := 1; i <= 3; i++ {
		late, again := uint64(1), uint64(2)
		if i == 1 {
			late, again = 0, 0
		}
		if c := r.run(i); c.Delivered != uint64(200*i-1) || c.Missing != 1 || c.Late != late || c.Duplicate != again || c.Stray+c.Joining+c.Wrong != 0 {
			t.Errorf("phase %d: %+v", i, c)
		}
	}
	if err := r.workers[0].Begin(4, r.clock.Now()); err == nil {
		t.Error("a phase that is none has begun")
	}
}
