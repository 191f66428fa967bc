package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"roost/bench/chaos/ledger"
)

// PublisherOptions say what is published. All are needed.
type PublisherOptions struct {
	APIs    []string // base URLs; each request goes to any of those that do not rest
	Rate    float64  // messages a second, to devices by turns in random order
	Batch   int      // messages a request, 1 to 1,000
	Devices int      // they are for the devices from index 0 to before this one
	Name    func(device int) string
	Ledger  *ledger.Ledger
	Start   time.Time
}

// Times of a request and of its repeats. A node that gave no answer, or one that says
// to come again, gets no further requests for a moment, unless all have done so: what a
// balancer with health checks does for backends. A stopped node would hold all requests
// that may be under way otherwise, and the times would tell of the publisher.
const (
	requestTime = 5 * time.Second
	restTime    = time.Second
	leastPause  = 20 * time.Millisecond
	mostPause   = 500 * time.Millisecond
)

// underWay is how many requests may be: a node takes 256 at once. What is due beyond
// waits, and its wait is part of its latency (Late).
const underWay = 256

// Publisher publishes kept messages at a rate, whatever becomes of them: a message
// is due when it is, and repeated under its id, at another node, until it has an
// answer.
type Publisher struct {
	// Static after Publish.
	o      PublisherOptions
	client *http.Client
	due    chan []int // numbers of messages, a request each
	stop   context.CancelFunc
	cancel context.CancelFunc
	wg     sync.WaitGroup

	rests   []atomic.Int64 // of APIs: until when, ns
	reasons reasons
	late    atomic.Int64 // ns, the longest that a request waited for its turn
}

// Publish starts.
func Publish(o PublisherOptions) *Publisher {
	p := &Publisher{o: o, due: make(chan []int, 1024), rests: make([]atomic.Int64, len(o.APIs)),
		client: &http.Client{Timeout: requestTime, Transport: &http.Transport{MaxIdleConnsPerHost: underWay, MaxConnsPerHost: underWay}}}
	planned, stop := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.cancel = stop, cancel
	p.wg.Go(func() { p.plan(planned) })
	for range underWay {
		p.wg.Go(func() {
			for numbers := range p.due {
				p.send(ctx, numbers)
			}
		})
	}
	return p
}

// onceBatch and oncePause make 2,500 messages a second: 5,000 at once took both cores for half a second, in which
// no device dialed, and all of those came in the next.
const (
	onceBatch = 50
	oncePause = 20 * time.Millisecond
)

// Once publishes one message to each of some devices now, in batches, beside what
// is planned. It must not be called after Stop.
func (p *Publisher) Once(devices []int) {
	for len(devices) > 0 {
		n := min(len(devices), onceBatch)
		p.due <- p.open(devices[:n], time.Since(p.o.Start))
		devices = devices[n:]
		time.Sleep(oncePause)
	}
}

// Stop ends the plan and waits until everything has an answer, for so long at
// most. It may be called again.
func (p *Publisher) Stop(within time.Duration) {
	p.stop()
	done := time.AfterFunc(within, p.cancel)
	defer done.Stop()
	p.wg.Wait()
	p.cancel()
	p.client.CloseIdleConnections()
}

// Reasons returns why messages were not accepted at once, and how often.
func (p *Publisher) Reasons() map[string]int { return p.reasons.all() }

// Late returns the longest that a request waited for its turn here.
func (p *Publisher) Late() time.Duration { return time.Duration(p.late.Load()) }

// plan says what is due until ctx is done. It never leaves anything out: who is
// late catches up.
func (p *Publisher) plan(ctx context.Context) {
	defer close(p.due)
	began := time.Since(p.o.Start)
	order := rand.Perm(p.o.Devices)
	next := 0
	for request := 0; ; request++ {
		at := began + time.Duration(float64(request*p.o.Batch)/p.o.Rate*float64(time.Second))
		if wait := at - time.Since(p.o.Start); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		if ctx.Err() != nil {
			return
		}
		devices := make([]int, p.o.Batch)
		for i := range devices {
			if next == len(order) {
				rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				next = 0
			}
			devices[i] = order[next]
			next++
		}
		p.due <- p.open(devices, at)
	}
}

// open enters messages that are due.
func (p *Publisher) open(devices []int, at time.Duration) []int {
	numbers := make([]int, len(devices))
	for i, d := range devices {
		numbers[i] = p.o.Ledger.Due(d, at)
	}
	return numbers
}

// send repeats a request until each message of it has an answer, or ctx is done.
func (p *Publisher) send(ctx context.Context, numbers []int) {
	if len(numbers) > 0 {
		p.noteLate(numbers[0])
	}
	for try := 0; len(numbers) > 0 && ctx.Err() == nil; try++ {
		api := p.choose()
		results, after, err := p.post(ctx, p.o.APIs[api], numbers)
		if err != nil {
			p.reasons.add(reasonOf(err))
			p.rests[api].Store(int64(time.Since(p.o.Start) + restTime))
		}
		numbers = p.settle(numbers, results)
		if len(numbers) == 0 {
			return
		}
		pause := min(leastPause<<min(try, 10), mostPause)
		pause = max(time.Duration(rand.Int64N(int64(pause)))+leastPause, min(after, mostPause))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// choose returns the index of any API that does not rest, of any at all if all do.
func (p *Publisher) choose() (api int) {
	now := int64(time.Since(p.o.Start))
	order := rand.Perm(len(p.o.APIs))
	for _, api := range order {
		if p.rests[api].Load() <= now {
			return api
		}
	}
	return order[0]
}

func (p *Publisher) noteLate(number int) {
	wait := int64(time.Since(p.o.Start) - p.o.Ledger.DueAt(number))
	for {
		old := p.late.Load()
		if wait <= old || p.late.CompareAndSwap(old, wait) {
			return
		}
	}
}

// result is what became of one message.
type result struct {
	Status, Reason string
	Seq            uint64
}

// settle enters the answers and returns the messages that have none.
func (p *Publisher) settle(numbers []int, results []result) (rest []int) {
	for i, n := range numbers {
		var r result
		if len(results) == len(numbers) {
			r = results[i]
		}
		switch {
		case r.Status == "written" || r.Status == "queued" || r.Status == "offline" || r.Status == "acknowledged":
			p.o.Ledger.Accepted(n, r.Seq)
		case r.Status == "unknown" || r.Status == "refused" && r.Reason != "store" && r.Reason != "rate":
			p.reasons.add(r.Status + " " + r.Reason)
			p.o.Ledger.Refused(n, r.Status+" "+r.Reason)
		default: // no answer, or one to try again
			p.o.Ledger.Unanswered(n)
			rest = append(rest, n)
		}
	}
	return rest
}

// statusError is an answer that is none.
type statusError struct {
	status int
	detail string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.detail) }

// reasonOf puts an error in few words, so that there are few of them.
func reasonOf(err error) string {
	var status *statusError
	if errors.As(err, &status) {
		return status.Error()
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	return err.Error()
}

// post sends one request. Without results nobody knows what was done; after is
// what Retry-After says.
func (p *Publisher) post(ctx context.Context, api string, numbers []int) (results []result, after time.Duration, err error) {
	var body bytes.Buffer
	for _, n := range numbers {
		fmt.Fprintf(&body, "{\"device\":%q,\"id\":%q,\"ttl\":3600,\"payload\":{\"n\":%d}}\n", p.o.Name(p.o.Ledger.DeviceOf(n)), ID(n), n)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/publish", &body)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		Results []result
		Detail  string
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, 0, &statusError{resp.StatusCode, "not JSON"}
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		after = time.Duration(s) * time.Second
	}
	if resp.StatusCode != http.StatusOK {
		return answer.Results, after, &statusError{resp.StatusCode, answer.Detail}
	}
	if len(answer.Results) != len(numbers) {
		return nil, 0, &statusError{resp.StatusCode, fmt.Sprintf("%d results for %d messages", len(answer.Results), len(numbers))}
	}
	return answer.Results, 0, nil
}

// reasons counts texts, so many different ones at most.
type reasons struct {
	mu sync.Mutex
	n  map[string]int
}

const mostReasons = 50

func (r *reasons) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == nil {
		r.n = map[string]int{}
	}
	if _, known := r.n[text]; !known && len(r.n) >= mostReasons {
		text = "other"
	}
	r.n[text]++
}

func (r *reasons) all() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]int, len(r.n))
	for text, n := range r.n {
		all[text] = n
	}
	return all
}
