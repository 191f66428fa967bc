package ledger

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVerdicts: each row is something that happens to messages 0 and 1 of device 0,
// beside one of device 1, and what the account must say of it.
func TestVerdicts(t *testing.T) {
	const s = time.Second
	for _, row := range []struct {
		name    string
		do      func(l *Ledger)
		fault   string // part of the only fault; empty: none
		streams bool   // the same is no fault where new streams are allowed
	}{
		{"all well", func(l *Ledger) { l.Accepted(0, 1); l.Accepted(1, 2); l.Handled(0, 0, 1, s); l.Handled(0, 1, 2, s) }, "", false},
		{"handled before the answer", func(l *Ledger) { l.Handled(0, 0, 1, s); l.Accepted(0, 1); l.Refused(1, "full") }, "", false},
		{"repeated requests", func(l *Ledger) {
			l.Unanswered(0)
			l.Unanswered(0)
			l.Accepted(0, 1)
			l.Handled(0, 0, 1, s)
			l.Refused(1, "full")
		}, "", false},
		{"lost", func(l *Ledger) { l.Accepted(0, 1); l.Accepted(1, 2); l.Handled(0, 0, 1, s) }, "1 accepted messages were handled by nobody", false},
		{"lost, with a new stream", func(l *Ledger) { l.NewStream(0, s); l.Accepted(0, 1); l.Refused(1, "") }, "1 accepted messages", true},
		{"told of a new stream, and again", func(l *Ledger) {
			l.NewStream(1, 3*s)
			l.NewStream(0, 2*s)
			l.NewStream(0, 4*s)
			l.Accepted(0, 1)
			l.Handled(0, 0, 1, 5*s)
			l.Refused(1, "")
		}, "2 devices were told that their stream does not go on, the first at 2s", true},
		{"twice", func(l *Ledger) { l.Accepted(0, 1); l.Refused(1, ""); l.Handled(0, 0, 1, s); l.Handled(0, 0, 2, s) }, "1 messages were handled more than once", false},
		{"refused and handled", func(l *Ledger) { l.Refused(0, "full"); l.Refused(1, ""); l.Handled(0, 0, 1, s) }, "1 messages were handled although", false},
		{"handled and refused", func(l *Ledger) { l.Handled(0, 0, 1, s); l.Refused(0, "full"); l.Refused(1, "") }, "1 messages were handled although", false},
		{"another's", func(l *Ledger) { l.Refused(0, ""); l.Refused(1, ""); l.Handled(1, 0, 1, s) }, "1 messages were handled by a device that they were not for", false},
		{"nobody's", func(l *Ledger) { l.Refused(0, ""); l.Refused(1, ""); l.Handled(1, 77, 1, s) }, "1 messages were handled by a device that they were not for", false},
		{"damaged", func(l *Ledger) { l.Refused(0, ""); l.Refused(1, ""); l.Damaged(1, "m7", []byte("x")) }, "1 messages came damaged", false},
		{"never answered", func(l *Ledger) { l.Unanswered(0); l.Handled(0, 0, 1, s); l.Refused(1, "") }, "1 messages were never answered", false},
		{"renumbered", func(l *Ledger) { l.Accepted(0, 5); l.Refused(1, ""); l.Handled(0, 0, 1, s) }, "1 messages came under another number", true},
		{"backwards", func(l *Ledger) { l.Accepted(0, 5); l.Accepted(1, 1); l.Handled(0, 0, 5, s); l.Handled(0, 1, 1, s) }, "went back 1 times", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := New(2)
			l.Due(0, 0)
			l.Due(0, 0)
			l.Accepted(l.Due(1, 0), 1)
			l.Handled(1, 2, 1, s)
			row.do(l)
			a := l.Account()
			faults := a.Faults(false)
			switch {
			case row.fault == "" && len(faults) > 0:
				t.Errorf("faults %q of %+v", faults, a)
			case row.fault != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, row.fault) }):
				t.Errorf("faults %q, want one with %q", faults, row.fault)
			}
			if left := a.Faults(true); row.streams && len(left) > 0 || !row.streams && row.fault != "" && len(left) != len(faults) {
				t.Errorf("where streams may be new: %q", left)
			}
			if len(faults) > 0 && a.Unanswered == 0 && a.Streams == 0 && len(a.Samples) == 0 {
				t.Error("no fault is told in words")
			}
			if a.Published != 3 || a.Accepted+a.Refused+a.Unanswered != a.Published || a.Handled+a.Lost != a.Accepted {
				t.Errorf("the account does not add up: %+v", a)
			}
			unhandled, unanswered := l.Open()
			if unhandled != a.Lost || unanswered != a.Unanswered {
				t.Errorf("open %d and %d of %+v", unhandled, unanswered, a)
			}
		})
	}
}

// TestAnsweredTwice: a publisher that enters two answers is a bug of ours.
func TestAnsweredTwice(t *testing.T) {
	for name, do := range map[string]func(l *Ledger){
		"accepted": func(l *Ledger) { l.Accepted(0, 1) }, "refused": func(l *Ledger) { l.Refused(0, "") },
	} {
		l := New(1)
		l.Due(0, 0)
		l.Accepted(0, 1)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s after accepted: no panic", name)
				}
			}()
			do(l)
		}()
	}
}

// TestCaughtUp: a device has caught up with its last message that was due before it
// was back.
func TestCaughtUp(t *testing.T) {
	const ms = time.Millisecond
	l := New(4)
	add := func(device int, due, done time.Duration) {
		n := l.Due(device, due)
		l.Accepted(n, uint64(n+1))
		if done != 0 {
			l.Handled(device, n, uint64(n+1), done)
		}
	}
	add(0, 10*ms, 150*ms) // handled after the return
	add(0, 200*ms, 900*ms)
	add(1, 10*ms, 20*ms) // before it
	add(2, 10*ms, 0)     // never
	add(3, 10*ms, 500*ms)
	at, lacking := l.CaughtUp(map[int]time.Duration{0: 100 * ms, 1: 100 * ms, 2: 100 * ms})
	if len(at) != 2 || at[0] != 150*ms || at[1] != 100*ms || !slices.Equal(lacking, []int{2}) {
		t.Errorf("caught up at %v, lacking %v", at, lacking)
	}
	if got := l.Latencies(10*ms, 200*ms); !slices.Equal(got, []time.Duration{10 * ms, 140 * ms, 490 * ms}) {
		t.Errorf("latencies %v", got)
	}
}

// TestPercentile: against counting.
func TestPercentile(t *testing.T) {
	if got := Percentile(nil, 0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		all := make([]time.Duration, 1+rng.IntN(300))
		for i := range all {
			all[i] = time.Duration(rng.IntN(50))
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			got, want := Percentile(all, q), all[len(all)-1]
			for _, v := range all { // the least value that q of all do not exceed
				below := 0
				for _, w := range all {
					if w <= v {
						below++
					}
				}
				if float64(below) >= q*float64(len(all))-1e-9 {
					want = v
					break
				}
			}
			if got != want {
				t.Fatalf("%v of %d values: %v, want %v", q, len(all), got, want)
			}
		}
	}
}
