package crossnode

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"roost/loadgen/tally"
	"roost/server/publisher"
)

// load is one that is published.
type load struct {
	Name  string  `json:"name"`
	Rate  float64 `json:"rate"`  // messages a second
	Batch int     `json:"batch"` // of a request; those of one are due together
	// Publishers take requests in turn, each with Lanes of them under way to a node. Several
	// lanes of one publisher would divide a batch.
	Publishers int `json:"publishers"`
	Lanes      int `json:"lanes"`
	// Stress: more is offered than the machine may do. What is due when the time is over, and
	// waits behind what was due before it, is not sent.
	Stress bool `json:"stress,omitempty"`
}

// loads are those of the goal, and the one under which the stages are read.
var loads = []load{
	{"single", 1000, 1, 1, 8, false},
	{"batched", 5000, 50, 4, 1, false},
	{"offered", 50_000, 1000, 4, 1, true},
	{"offered-50", 50_000, 50, 4, 1, true},
}

// modes are who gets the requests.
const (
	modeAny  = "any"
	modeRing = "ring"
)

// Outcome is what became of a load.
type Outcome struct {
	Load load   `json:"load"`
	Mode string `json:"mode"`

	Published int            `json:"published"`
	Unsent    int            `json:"unsent,omitempty"` // due, and not sent: Load.Stress
	Statuses  map[string]int `json:"statuses"`         // by a node's word, or the error's
	Delivered int            `json:"delivered"`
	Missing   int            `json:"missing"` // accepted, and not at the device 15 s after the last result
	Seconds   float64        `json:"seconds"` // from the first due time to the last result
	// Latency is from due to delivered, Answer from due to the publisher's result; ns.
	Latency *tally.Hist `json:"latency"`
	Answer  *tally.Hist `json:"answer"`
	// CPU is microseconds of each process per message that was delivered.
	CPU map[string]float64 `json:"cpu_us_per_delivery"`
	// Redis is what its commands cost it by its own count; those in scripts count beside
	// their script too.
	Redis map[string]Calls `json:"redis"`
	// Requests are posts, Repeats messages in them that had to go again, Disagree answers by
	// another ring than the publisher's.
	Requests uint64 `json:"requests"`
	Repeats  uint64 `json:"repeats"`
	Disagree uint64 `json:"disagree"`
	// Stages are what the node that took the requests says of them.
	Stages map[string]Stage `json:"stages,omitempty"`
}

// runner publishes one load.
type runner struct {
	s    *setup
	ps   []*publisher.Publisher
	o    Outcome
	r    *receipt
	from time.Duration // due times from here on count
	turn int           // requests so far

	mu      sync.Mutex
	results int
}

// measure publishes a load for warm + length, and waits for what was accepted.
func (s *setup) measure(ctx context.Context, number int, l load, mode string, warm, length time.Duration) (*Outcome, error) {
	set := publisher.Options{Batch: l.Batch, Lanes: l.Lanes, Timeout: 15 * time.Second}
	if l.Stress {
		set.Queue = 4 << 20 // some 6,000 messages
	}
	if l.Batch > 1 {
		set.Linger = time.Millisecond // so that a request has all that are due together
	}
	dial, taker := s.toA, s.a
	if mode == modeRing {
		dial, taker = s.publisher, s.b
	}
	x := &runner{s: s, o: Outcome{Load: l, Mode: mode, Statuses: map[string]int{}, Answer: tally.NewHist()}}
	for range l.Publishers {
		p, err := dial(set)
		if err != nil {
			return nil, err
		}
		defer closed(p)
		x.ps = append(x.ps, p)
		if mode == modeAny {
			continue
		}
		if err := p.Ready(ctx); err != nil {
			return nil, err
		}
	}
	begin := time.Since(s.devices.begin) + 50*time.Millisecond
	x.from = begin + warm
	x.r = &receipt{number: number, hist: tally.NewHist(), from: x.from}
	s.devices.load.Store(x.r)
	if err := x.pace(ctx, begin, x.from); err != nil {
		return nil, err
	}
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	stages, err := stagesOf(taker)
	if err != nil {
		return nil, err
	}
	had, calls := x.r.count(), s.calls()
	if err := x.pace(ctx, x.from, x.from+length); err != nil {
		return nil, err
	}
	if err := x.await(ctx); err != nil {
		return nil, err
	}
	if err := s.devices.gone(); err != nil {
		return nil, err
	}
	return x.finish(before, stages, calls, taker, had)
}

// pace publishes what is due from one time to another.
func (x *runner) pace(ctx context.Context, from, to time.Duration) error {
	every := time.Duration(float64(x.o.Load.Batch) / x.o.Load.Rate * float64(time.Second))
	devices := x.s.devices
	clock, err := newAlarm()
	if err != nil {
		return err
	}
	defer clock.close()
	for due := from; due < to; due += every {
		if !clock.wait(ctx, due-time.Since(devices.begin)) {
			return ctx.Err()
		}
		if x.o.Load.Stress && time.Since(devices.begin) > to {
			x.o.Unsent += x.o.Load.Batch
			continue
		}
		at, p := rand.IntN(len(devices.ids)), x.ps[x.turn%len(x.ps)]
		x.turn++
		text := payload(x.r.number, due)
		for i := range x.o.Load.Batch {
			m := publisher.Message{Device: devices.ids[(at+i)%len(devices.ids)], TTL: time.Minute, Payload: text}
			if err := p.Send(ctx, m, func(r publisher.Result) { x.result(r, due) }); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
			x.o.Published++
		}
	}
	return nil
}

// result takes a publisher's result.
func (x *runner) result(r publisher.Result, due time.Duration) {
	took := time.Since(x.s.devices.begin) - due
	word := r.Status
	if r.Reason != "" {
		word += " " + r.Reason
	}
	if r.Err != nil {
		word = "error: " + r.Err.Error()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.results++
	if len(x.o.Statuses) < 50 || x.o.Statuses[word] > 0 {
		x.o.Statuses[word]++
	}
	if due >= x.from {
		x.o.Answer.Record(int64(took))
	}
}

// await waits for the results, and then for the messages that were accepted.
func (x *runner) await(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, p := range x.ps {
		if err := p.Flush(within); err != nil {
			return fmt.Errorf("results are missing: %w", err)
		}
	}
	x.o.Seconds = (time.Since(x.s.devices.begin) - x.from).Seconds()
	for end := time.Now().Add(15 * time.Second); x.r.count() < x.accepted() && time.Now().Before(end); {
		if !pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func (x *runner) accepted() (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, word := range []string{"written", "queued", "offline", "acknowledged"} {
		n += x.o.Statuses[word]
	}
	return n
}

// calls reads what Redis has done.
func (s *setup) calls() commands { return parseCommands(s.cluster.Redis.Text("INFO", "commandstats")) }

// finish reads what it cost.
func (x *runner) finish(before map[string]time.Duration, stages buckets, calls commands, taker node, had int) (*Outcome, error) {
	after, err := x.s.cpu()
	if err != nil {
		return nil, err
	}
	now, err := stagesOf(taker)
	if err != nil {
		return nil, err
	}
	o := &x.o
	o.Delivered = x.r.count()
	o.Missing = max(0, x.accepted()-o.Delivered)
	x.r.mu.Lock()
	o.Latency = tally.NewHist().Add(x.r.hist)
	x.r.mu.Unlock()
	o.CPU = map[string]float64{}
	for name, t := range after {
		o.CPU[name] = float64(t-before[name]) / 1e3 / float64(max(1, o.Delivered-had))
	}
	o.Stages = now.since(stages)
	o.Redis = x.s.calls().since(calls, o.Delivered-had)
	for _, p := range x.ps {
		n := p.Stats()
		o.Requests, o.Repeats, o.Disagree = o.Requests+n.Requests, o.Repeats+n.Repeats, o.Disagree+n.Disagree
	}
	return o, nil
}
