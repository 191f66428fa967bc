package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"roost/loadgen/plan"
)

// publisher publishes rounds by a few goroutines, so that a slow answer of the
// API does not hold up what is due next.
type publisher struct {
	// Static after construction.
	s       *swarm
	b       backend
	content []byte
	dues    *dues
	jobs    chan job
	wg      sync.WaitGroup

	// Owned by the goroutine that calls open or closed.
	next uint32 // round

	// mu covers the following.
	mu      sync.Mutex
	results []outcome // by round
	api     *recorder
	late    *recorder
	errs    map[string]int
}

// job is one round to publish.
type job struct {
	round uint32
	due   int64
	done  *sync.WaitGroup
}

// outcome is what became of a round.
type outcome struct {
	ok   bool
	due  int64
	sent int64
}

// publishers is how many requests may be under way; more are late.
func (o *Options) publishers() int { return max(8, 2*o.Burst) }

func newPublisher(s *swarm, b backend, content []byte) *publisher {
	p := &publisher{s: s, b: b, content: content, dues: s.clients[0].role.(*receiver).dues,
		jobs: make(chan job, dueRing/2), api: newRecorder(), late: newRecorder(), errs: map[string]int{}}
	for range s.opt.publishers() {
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			for j := range p.jobs {
				p.publish(j)
				j.done.Done()
			}
		}()
	}
	return p
}

func (p *publisher) close() {
	close(p.jobs)
	p.wg.Wait()
}

// publish publishes one round.
func (p *publisher) publish(j job) {
	content := bytes.Clone(p.content)
	putHex(content, j.round)
	sent := p.s.clock.now()
	err := p.b.publish(context.Background(), content) // bounded by the client's timeout
	took := p.s.clock.now() - sent
	p.mu.Lock()
	defer p.mu.Unlock()
	for int(j.round) >= len(p.results) {
		p.results = append(p.results, outcome{})
	}
	p.results[j.round] = outcome{ok: err == nil, due: j.due, sent: sent}
	if err != nil {
		p.errs[err.Error()]++
		return
	}
	p.api.record(took)
	p.late.record(sent - j.due)
}

// start hands a round over; done is told when the API has answered.
func (p *publisher) start(due int64, done *sync.WaitGroup) {
	round := p.next
	p.next++
	p.dues.at(round).Store(due)
	done.Add(1)
	p.jobs <- job{round: round, due: due, done: done}
}

// published returns how many rounds were published without an error.
func (p *publisher) published() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.results {
		if p.results[i].ok {
			n++
		}
	}
	return n
}

// planned returns how many rounds an open loop has due.
func (p *publisher) planned() int { return p.schedule().Count(p.s.opt.Hold) }

func (p *publisher) schedule() plan.Schedule {
	opt := p.s.opt
	if opt.Rate == 0 {
		return plan.Schedule{Rate: 1, Burst: opt.Burst} // only to make room
	}
	return plan.Schedule{Rate: opt.Rate, Burst: opt.Burst}
}

// warmUp publishes a few times, each to the end and as many at once as later,
// so that the connections to the API are there.
func (p *publisher) warmUp(ctx context.Context) error {
	var done sync.WaitGroup
	for range warmRounds {
		for range p.s.opt.Burst {
			p.start(p.s.clock.now(), &done)
		}
		done.Wait()
		if err := p.s.awaitRounds(ctx, uint64(p.published())+1); err != nil && !errors.Is(err, errPatience) {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for why := range p.errs {
		return fmt.Errorf("publish: %s", why)
	}
	p.api, p.late = newRecorder(), newRecorder()
	return nil
}

// open publishes what is due when it is due, whatever has become of the rounds
// before.
func (p *publisher) open(ctx context.Context) (err error) {
	var done sync.WaitGroup
	start := p.s.clock.now() + int64(time.Millisecond)
	for i := range p.planned() {
		due := start + int64(p.schedule().Due(i))
		if err = p.s.clock.sleepUntil(ctx, due); err != nil {
			break
		}
		p.start(due, &done)
	}
	done.Wait()
	return err
}

// closed publishes Burst rounds, waits until everybody has them, and goes on.
func (p *publisher) closed(ctx context.Context) error {
	end := p.s.clock.now() + int64(p.s.opt.Hold)
	var done sync.WaitGroup
	for p.s.clock.now() < end {
		for range p.s.opt.Burst {
			p.start(p.s.clock.now(), &done)
		}
		done.Wait()
		if err := p.s.awaitRounds(ctx, uint64(p.published())+1); err != nil {
			return err
		}
	}
	return nil
}

// finishBroadcast joins what the loops have counted from round first on and
// derives the rest.
func (s *swarm) finishBroadcast(r *Broadcast, p *publisher, first uint32) (bound []string) {
	rounds := make([]plan.Round, p.next)
	fromDue := newRecorder()
	var collecting sync.Mutex
	s.each(func(c *client) {
		v := c.role.(*receiver)
		collecting.Lock()
		defer collecting.Unlock()
		for i := range rounds[:min(len(rounds), len(v.rounds))] {
			rounds[i].Add(v.rounds[i])
		}
		fromDue.merge(v.fromDue)
		r.Duplicate += v.duplicate
		r.Wrong += v.wrong
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	spread, last := newRecorder(), newRecorder()
	var begin, end int64
	for i := int(first); i < len(rounds); i++ {
		if !p.results[i].ok {
			r.Refused++
			continue
		}
		r.Rounds++
		r.Delivered += rounds[i].Count
		r.Missing += plan.Missing(rounds[i:i+1], r.Readers)
		if rounds[i].Count == r.Readers {
			spread.record(rounds[i].Last - rounds[i].First)
			last.record(rounds[i].Last - p.results[i].due)
		}
		if begin == 0 {
			begin = p.results[i].due
		}
		end = max(end, rounds[i].Last)
	}
	// A round of the warm-up that went missing is as bad.
	r.Missing += plan.Missing(rounds[:first], r.Readers)
	r.Expected = r.Rounds * r.Readers
	tooLate := 0
	for i := range p.results[first:] {
		if o := &p.results[int(first)+i]; r.Open && o.ok && o.sent-o.due > int64(plan.MaxLateness) {
			tooLate++
		}
	}
	r.Last = last.latency()
	r.Spread, r.FromDue, r.API, r.Late = spread.latency(), fromDue.latency(), p.api.latency(), p.late.latency()
	n := float64(r.Delivered)
	if end > begin {
		r.PerSecond = n / (float64(end-begin) / 1e9)
	}
	r.ServerMicros, r.ServerSumMicros = per(r.Work.ServerCPU, n), per(r.Work.serverSum(), n)
	r.ClientMicros = per(r.Work.ClientCPU, n)
	return plan.Effort{Loops: len(s.clients), Spin: s.opt.Spin, Cores: float64(r.Work.ClientCPU) / float64(r.Work.Wall),
		Planned: r.Planned, Burst: r.Burst, Sent: r.Rounds, TooLate: tooLate}.ClientBound()
}
