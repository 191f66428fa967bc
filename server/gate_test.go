package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"roost/server/admission"
	"roost/server/cluster"
)

// TestGateKeepsTheBudget: whatever comes at once, no second has more than the budget and the burst; who is refused and comes back in the
// second that it was told is through, but for a few; all are through in the time that the budget takes for them.
func TestGateKeepsTheBudget(t *testing.T) {
	for _, n := range []int{500, 5_000, 20_000} {
		const rate = 1_000.0
		var g gate
		due := map[int64][]int{} // devices by millisecond
		for i := range n {
			due[0] = append(due[0], i+1)
		}
		var passed []time.Duration
		refused, last := 0, int64(0)
		for ms := int64(0); len(passed) < n && ms < 100_000; ms++ {
			for _, device := range due[ms] {
				now := time.Duration(ms) * time.Millisecond
				after, ok := g.admit(now, rate, false, uint64(device))
				if ok {
					passed, last = append(passed, now), ms
					continue
				}
				// As a client does: a random part of a second on top.
				refused++
				at := ms + int64(after)*1000 + int64(refused*7919%1000)
				due[at] = append(due[at], device)
			}
		}
		first := 0
		for i := range passed {
			for passed[i]-passed[first] >= time.Second {
				first++
			}
			if got := i - first + 1; got > int((1+gateBurst)*rate) {
				t.Fatalf("%d devices: %d within a second that ends after %v", n, got, passed[i])
			}
		}
		need := float64(n) / rate
		if took := float64(last) / 1000; len(passed) != n || took > 1.4*need+3 {
			t.Errorf("%d of %d devices after %.1f s, want some %.1f s", len(passed), n, took, need)
		}
		if refused > 3*n/2 {
			t.Errorf("%d devices were refused %d times", n, refused)
		}
	}
}

// TestGateImpatient: half of the devices come again ten times a second, whatever they are told. The others wait no longer for that
// than for as many who wait.
func TestGateImpatient(t *testing.T) {
	const rate, n = 1_000.0, 10_000
	var g gate
	due := map[int64][]int{}
	for i := range n {
		due[int64(i%100)] = append(due[int64(i%100)], i+1)
	}
	last, patient := int64(0), 0
	for ms := int64(0); patient < n/2 && ms < 200_000; ms++ {
		for _, device := range due[ms] {
			waits := device%2 == 0
			after, ok := g.admit(time.Duration(ms)*time.Millisecond, rate, false, uint64(device))
			switch at := ms + 100; {
			case ok && waits:
				patient, last = patient+1, ms
			case ok:
			case waits:
				at = ms + int64(after)*1000 + int64(device*7919%1000)
				fallthrough
			default:
				due[at] = append(due[at], device)
			}
		}
		delete(due, ms)
	}
	if need := n / rate; patient != n/2 || float64(last)/1000 > 1.4*need+3 {
		t.Errorf("%d of %d who wait are in after %.1f s, want some %.1f s", patient, n/2, float64(last)/1000, need)
	}
}

// TestGatePromise: who comes before its second hears the same again; who comes in it comes in, though others have been faster.
func TestGatePromise(t *testing.T) {
	var g gate
	for g.free > 0 || !g.filled {
		g.admit(0, 100, false, 1)
	}
	after, ok := g.admit(0, 100, false, 7)
	if ok || after != 1 {
		t.Fatalf("after %d s, %v", after, ok)
	}
	for range 1_000 {
		if after, ok := g.admit(time.Second/1000, 100, false, 7); ok || after != 1 {
			t.Fatalf("again: after %d s, %v", after, ok)
		}
	}
	if after, ok := g.admit(time.Second/1000, 100, false, 8); ok || after != 1 {
		t.Errorf("another one: after %d s, %v", after, ok)
	}
	for g.free >= 1 || g.at < time.Second {
		g.admit(time.Second, 100, false, 9)
	}
	if _, ok := g.admit(time.Second, 100, false, 7); !ok {
		t.Error("it is refused in its second")
	}
	if _, ok := g.admit(time.Second, 100, false, 7); ok {
		t.Error("it has two places")
	}
	for after := 0; after < gateSlots-1; {
		after, _ = g.admit(3*time.Second, 100, false, 10+uint64(g.putOff.Load()))
	}
	device := 9 + g.putOff.Load()
	if after, ok := g.admit(2*time.Second, 100, false, device); ok || after != gateSlots-1 {
		t.Errorf("by a clock that is a second behind: after %d s, %v", after, ok)
	}
	if after, ok := g.admit(200*time.Second, 100, false, 8); !ok {
		t.Errorf("long after its second, and nobody else is here: after %d s", after)
	}
}

// TestGateSlots: as many are told each second as it has room, and nobody more than the last.
func TestGateSlots(t *testing.T) {
	var g gate
	for range 50 {
		if _, ok := g.admit(0, 100, false, 1); !ok {
			t.Fatal("refused at first")
		}
	}
	for i := range 100 * gateSlots {
		after, ok := g.admit(0, 100, false, uint64(i+1))
		if want := min(1+i/100, gateSlots-1); ok || after != want {
			t.Fatalf("refusal %d: after %d s, want %d", i, after, want)
		}
	}
	// What is past is free for what is to come.
	late := 30 * time.Second
	for range 50 {
		g.admit(late, 100, false, uint64(late))
	}
	if after, ok := g.admit(late, 100, false, uint64(late)); ok || after != gateSlots-30 {
		t.Errorf("after %d s, %v", after, ok)
	}
	late = time.Hour
	for range 50 {
		g.admit(late, 100, false, uint64(late))
	}
	if after, ok := g.admit(late, 100, false, uint64(late)); ok || after != 1 {
		t.Errorf("an hour later: after %d s, %v", after, ok)
	}
	if got := g.putOff.Load(); got != 100*gateSlots+2 {
		t.Errorf("%d were counted", got)
	}
}

// TestGatePlanned: who was sent here by another node, in its slot, comes in also where others are refused, up to
// a second's worth.
func TestGatePlanned(t *testing.T) {
	var g gate
	n := 0
	for ; n < 1_000; n++ {
		if _, ok := g.admit(0, 100, true, 1); !ok {
			break
		}
	}
	if n != 150 {
		t.Errorf("%d came in at once, want 50 and 100", n)
	}
	if _, ok := g.admit(time.Second, 100, false, 2); ok {
		t.Error("others do not pay for them")
	}
}

// TestGateStorm: more than half of the budget is a storm, until a second without has passed.
func TestGateStorm(t *testing.T) {
	var g gate
	for i := range 50 {
		g.admit(time.Duration(i)*time.Millisecond, 100, true, 1)
	}
	if g.storm(time.Second-1, 100) {
		t.Error("50 of 100")
	}
	g.admit(time.Second-1, 100, true, 1)
	for _, tt := range []struct {
		at   time.Duration
		want bool
	}{{time.Second - 1, true}, {time.Second, true}, {2*time.Second - 1, true}, {2 * time.Second, false}, {time.Hour, false}} {
		if got := g.storm(tt.at, 100); got != tt.want {
			t.Errorf("after %v: %v", tt.at, got)
		}
	}
}

// TestCrowd: the window is as long as what is left of the nodes needs for all devices.
func TestCrowd(t *testing.T) {
	said := func(n int) *cluster.Weight {
		in := cluster.Inputs{Connections: &n}
		b, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return &cluster.Weight{Inputs: b}
	}
	c := crowd{devices: 3_000, budget: 2_000, largest: 2_000}
	if got := c.window(); got != 3300*time.Millisecond {
		t.Errorf("alone: %v", got)
	}
	c.add(said(3_500), 1_000)
	c.add(said(3_500), 3_000)
	c.add(&cluster.Weight{}, 0) // says nothing
	if got, want := c.window(), 7333*time.Millisecond; got.Truncate(time.Millisecond) != want {
		t.Errorf("three: %v, want %v", got, want)
	}
	few := crowd{devices: 300, budget: 4_000, largest: 2_000}
	if got := few.window(); got != 0 {
		t.Errorf("few: %v", got)
	}
	many := crowd{devices: 10_000_000, budget: 4_000, largest: 2_000}
	if got := many.window(); got != longestWindow {
		t.Errorf("many: %v", got)
	}
}

// TestPutOff: a node refuses what is above its budget with a slot, and not those that another node has sent, nor
// questions of other kinds.
func TestPutOff(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1", func(o *Options) { o.Connects = admission.Limits{Node: admission.MostBudget} })
	f.ring(1, "n1")
	f.up(s)
	device(t, s, "device=first", "roost.v1.json")
	g := &s.entrance.gate
	g.mu.Lock()
	g.at, g.free = g.at+time.Hour, 0 // nothing flows in
	g.mu.Unlock()
	for i := range 3 {
		got := exchange(t, s, upgradeRequest(fmt.Sprint("/v1/connect?device=d", i)))
		if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: ") {
			t.Errorf("got %q", got)
		}
	}
	if n := g.putOff.Load(); n != 3 {
		t.Errorf("%d were counted", n)
	}
	if code, _ := status(t, s, "/healthz"); code != "200" {
		t.Errorf("healthz %s", code)
	}
	device(t, s, "device=sent&hop=1", "roost.v1.json")
}
