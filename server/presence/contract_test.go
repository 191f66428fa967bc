package presence

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

var (
	n1, n2, n3 = Owner{"n1", 11}, Owner{"n2", 12}, Owner{"n3", 13}
	// awkward is a device id that would be no part of a key as it is.
	awkward = "}{x%"
)

// contract is what every store does; each row is a test.
var contract = []struct {
	name string
	f    func(t *testing.T, s *stage)
}{
	{"a claim counts the sessions of a device", func(t *testing.T, s *stage) {
		for i, device := range []string{"d", awkward} {
			c, err := s.Claim(t.Context(), n1, device, 1<<63+5, 1000, 0)
			must(t, err)
			if c != (Claim{Fence: 1}) {
				t.Errorf("%d: the first claim is %+v, want fence 1 and nothing before", i, c)
			}
			c, err = s.Claim(t.Context(), n2, device, 6, 2000, 0)
			must(t, err)
			want := Claim{Fence: 2, Previous: Record{Hold: Held, Owner: n1, Fence: 1, SID: 1<<63 + 5, Since: 1000, Connected: 1000, Inbound: 1000}}
			if c != want {
				t.Errorf("%d: the second claim is %+v, want %+v", i, c, want)
			}
		}
	}},
	{"a claim is above what its node knows", func(t *testing.T, s *stage) {
		c, err := s.Claim(t.Context(), n1, "d", 1, 1000, 41)
		must(t, err)
		if c.Fence != 42 {
			t.Errorf("fence %d, want 42", c.Fence)
		}
	}},
	{"a late release changes nothing", func(t *testing.T, s *stage) {
		claim(t, s, n1, "d", 1000)
		claim(t, s, n2, "d", 2000)
		for _, x := range []Release{{Device: "d", Fence: 1, Connected: 1000, At: 3000}, {Device: "d", Fence: 2, Connected: 1000, At: 3000}} {
			if got, err := s.Release(t.Context(), n1, []Release{x}); err != nil || got[0].Outcome != Refused {
				t.Errorf("a release of n1 is %+v, %v; want refused", got, err)
			}
		}
		if r := record(t, s, "d"); r.Hold != Held || r.Owner != n2 || r.Fence != 2 {
			t.Errorf("the record is %+v, want it held by n2", r)
		}
	}},
	{"a release ends a session, and may be said twice", func(t *testing.T, s *stage) {
		claim(t, s, n1, "d", 1000)
		x := []Release{{Device: "d", Fence: 1, Connected: 1000, At: 3000, Reason: 4103}}
		for range 2 {
			if got, err := s.Release(t.Context(), n1, x); err != nil || got[0] != (Released{Applied, true}) {
				t.Errorf("a release is %+v, %v; want it applied", got, err)
			}
		}
		want := Record{Hold: Left, Owner: n1, Fence: 1, SID: 1, Since: 3000, Connected: 1000, Inbound: 1000, Reason: 4103}
		if r := record(t, s, "d"); r != want {
			t.Errorf("the record is %+v, want %+v", r, want)
		}
		if got, _ := s.Refresh(t.Context(), n1, []Refresh{{"d", 1, 9000}}); got[0].Outcome != Refused {
			t.Errorf("a refresh afterwards is %v, want refused", got[0].Outcome)
		}
	}},
	{"a refresh tells a zombie who is current", func(t *testing.T, s *stage) {
		claim(t, s, n1, "d", 1000)
		claim(t, s, n1, "e", 1000)
		claim(t, s, n2, "e", 2000)
		got, err := s.Refresh(t.Context(), n1, []Refresh{{"d", 1, 5000}, {"e", 1, 5000}, {"never", 1, 5000}})
		must(t, err)
		if got[0].Outcome != Applied || got[1].Outcome != Refused || got[1].Current.Owner != n2 || got[2].Outcome != Absent {
			t.Errorf("refreshes are %+v", got)
		}
		if r := record(t, s, "d"); r.Inbound != 5000 {
			t.Errorf("last inbound %d, want 5000", r.Inbound)
		}
	}},
	{"an assertion brings back what was lost", func(t *testing.T, s *stage) {
		a := []Assertion{{Device: "d", SID: 9, Connected: 1000, Inbound: 1500, Fence: 7}}
		got, err := s.Assert(t.Context(), n1, a)
		if err != nil || got[0].Outcome != Applied || got[0].Fence != 7 || got[0].Previous != (Record{}) {
			t.Errorf("the assertion is %+v, %v", got, err)
		}
		if c, _ := s.Claim(t.Context(), n2, "d", 1, 2000, 0); c.Fence != 8 {
			t.Errorf("the next claim has fence %d, want 8", c.Fence)
		}
	}},
	{"who connected later wins, in any order", func(t *testing.T, s *stage) {
		early := []Assertion{{Device: "d", SID: 1, Connected: 2000, Inbound: 2000, Fence: 50, Provisional: true}}
		later := []Assertion{{Device: "d", SID: 2, Connected: 3000, Inbound: 3000, Fence: 3, Provisional: true}}
		for i, order := range [][]Owner{{n1, n2}, {n2, n1}} {
			s.clear()
			claim(t, s, n3, "d", 1000)
			for _, o := range order {
				a := early
				if o == n2 {
					a = later
				}
				_, err := s.Assert(t.Context(), o, a)
				must(t, err)
			}
			r := record(t, s, "d")
			if r.Owner != n2 || r.SID != 2 {
				t.Errorf("order %d: the record is %+v, want n2's", i, r)
			}
			for _, o := range []Owner{n1, n3} {
				if got, _ := s.Refresh(t.Context(), o, []Refresh{{"d", 1, 0}}); got[0].Outcome != Refused {
					t.Errorf("order %d: %v is not refused: %+v", i, o, got)
				}
			}
		}
	}},
	{"the index has every device of a node, in pages", func(t *testing.T, s *stage) {
		const n = 1500
		devices := make([]string, n)
		for i := range devices {
			devices[i] = fmt.Sprintf("device-%05d", i)
		}
		must(t, s.Index(t.Context(), n1, devices[:1000]))
		must(t, s.Index(t.Context(), n1, devices[1000:]))
		claim(t, s, n1, "claimed", 1000)
		if got := all(t, s, n1); len(got) != n+1 || !got["claimed"] {
			t.Errorf("%d devices in the index, want %d with the one that was claimed", len(got), n+1)
		}
		must(t, s.Unindex(t.Context(), n1, devices[1:1000]))
		if size, err := s.Size(t.Context(), n1); err != nil || size != n+1-999 {
			t.Errorf("Size = %d, %v; want %d", size, err, n+1-999)
		}
		if got := all(t, s, n2); len(got) != 0 {
			t.Errorf("another node has %d devices", len(got))
		}
	}},
	{"pages keep what stays while others leave", func(t *testing.T, s *stage) {
		var stay, leave []string
		for i := range 400 {
			stay, leave = append(stay, fmt.Sprint("stay", i)), append(leave, fmt.Sprint("leave", i))
		}
		must(t, s.Index(t.Context(), n1, stay))
		must(t, s.Index(t.Context(), n1, leave))
		seen, cursor := map[string]bool{}, uint64(0)
		for range 1000 {
			page, next, err := s.Page(t.Context(), n1, cursor, 50)
			must(t, err)
			for _, d := range page {
				seen[d] = true
			}
			must(t, s.Unindex(t.Context(), n1, leave[:min(len(leave), 60)]))
			leave = leave[min(len(leave), 60):]
			if cursor = next; next == 0 {
				break
			}
		}
		for _, d := range stay {
			if !seen[d] {
				t.Fatalf("%s was in no page", d)
			}
		}
	}},
	{"beats and marks", func(t *testing.T, s *stage) {
		for _, o := range []Owner{n1, n2} {
			if was, err := s.Beat(t.Context(), o, 5*time.Second, true); err != nil || was {
				t.Errorf("the first beat of %v: marked %v, %v", o, was, err)
			}
		}
		for i, want := range []bool{true, false} {
			if first, err := s.Dead(t.Context(), n2, 7000); err != nil || first != want {
				t.Errorf("mark %d: %v, %v; want %v", i, first, err, want)
			}
		}
		n, err := s.Nodes(t.Context())
		must(t, err)
		if len(n.Beats) != 2 || n.Now-n.Beats[n1] < 0 || n.Now-n.Beats[n1] > 60_000 || len(n.Deaths) != 1 || n.Deaths[n2] != 7000 {
			t.Errorf("nodes are %+v", n)
		}
		if was, err := s.Beat(t.Context(), n2, 5*time.Second, false); err != nil || was {
			t.Errorf("a beat that does not revive: %v, %v", was, err)
		}
		for i, want := range []bool{true, false} {
			if was, err := s.Revive(t.Context(), n2); err != nil || was != want {
				t.Errorf("revival %d: %v, %v; want %v", i, was, err, want)
			}
		}
		s.Dead(t.Context(), n2, 8000)
		if was, err := s.Beat(t.Context(), n2, 5*time.Second, true); err != nil || !was {
			t.Errorf("a beat that revives: %v, %v", was, err)
		}
	}},
	{"a sweep finds who has not come back, once", sweepRow},
	{"one sweeps at a time", func(t *testing.T, s *stage) {
		s.Beat(t.Context(), n1, time.Minute, true)
		s.Dead(t.Context(), n1, 1000)
		if mine, err := s.SweepTake(t.Context(), n1, "a", time.Minute); mine || err != nil {
			t.Errorf("a node that beats is swept (%v)", err)
		}
		s.silence(n1)
		for _, c := range []struct {
			by   string
			want bool
		}{{"a", true}, {"b", false}, {"a", true}} {
			if mine, err := s.SweepTake(t.Context(), n1, c.by, time.Minute); err != nil || mine != c.want {
				t.Errorf("%s takes: %v, %v; want %v", c.by, mine, err, c.want)
			}
		}
		s.silence(n1)
		if mine, err := s.SweepTake(t.Context(), n1, "b", time.Minute); err != nil || !mine {
			t.Errorf("b takes when a's time is over: %v, %v", mine, err)
		}
	}},
	{"a call that may not wait says so", func(t *testing.T, s *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Claim(ctx, n1, "d", 1, 1, 0); !errors.Is(err, ErrDown) {
			t.Errorf("a claim is %v, want ErrDown", err)
		}
		if got, err := s.Release(ctx, n1, []Release{{Device: "d"}}); !errors.Is(err, ErrDown) || len(got) != 1 || got[0].Outcome != Failed {
			t.Errorf("a release is %+v, %v; want failed and ErrDown", got, err)
		}
	}},
	{"a batch of nothing, and the largest", func(t *testing.T, s *stage) {
		if got, err := s.Refresh(t.Context(), n1, nil); err != nil || len(got) != 0 {
			t.Errorf("nothing: %v, %v", got, err)
		}
		must(t, s.Index(t.Context(), n1, nil))
		must(t, s.Unindex(t.Context(), n1, nil))
		batch := make([]Assertion, MaxBatch)
		for i := range batch {
			batch[i] = Assertion{Device: fmt.Sprint("d", i), Fence: uint32(i + 1), Connected: 1, Inbound: 1}
		}
		got, err := s.Assert(t.Context(), n1, batch)
		must(t, err)
		for i := range got {
			if got[i].Outcome != Applied || got[i].Fence != uint32(i+1) {
				t.Fatalf("%d is %+v: not in order", i, got[i])
			}
		}
	}},
}

func claim(t testing.TB, s Store, o Owner, device string, now int64) Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), o, device, 1, now, 0)
	must(t, err)
	return c
}

// sweepRow lets a node die with devices of all fates.
func sweepRow(t *testing.T, s *stage) {
	var back, left, rest int
	for i := range 300 {
		device := fmt.Sprint("d", i)
		claim(t, s, n1, device, 1000)
		switch {
		case i%3 == 0:
			back++
			claim(t, s, n2, device, 2000)
		case i%5 == 0:
			left++
			s.Release(t.Context(), n1, []Release{{Device: device, Fence: 1, At: 2000}})
		default:
			rest++
		}
	}
	s.Beat(t.Context(), n1, time.Minute, true)
	s.silence(n1)
	s.Dead(t.Context(), n1, 3000)
	if mine, err := s.SweepTake(t.Context(), n1, "a", time.Minute); err != nil || !mine {
		t.Fatal("nobody may sweep", err)
	}
	if _, done, _ := s.SweepEnd(t.Context(), n1); done {
		t.Error("a sweep ends before its index is empty")
	}
	singles := 0
	for range 100 {
		found, err := s.Sweep(t.Context(), n1, 4000, 64)
		must(t, err)
		if len(found) == 0 {
			break
		}
		for _, d := range found {
			if d.Found == SweepLost {
				singles++
			}
		}
	}
	if singles != rest {
		t.Errorf("%d devices were lost, want %d", singles, rest)
	}
	tally, done, err := s.SweepEnd(t.Context(), n1)
	if want := (Tally{Back: back, Lost: rest, Stale: left}); err != nil || !done || tally != want {
		t.Errorf("the sweep ends with %+v, %v, %v; want %+v", tally, done, err, want)
	}
	if _, done, err := s.SweepEnd(t.Context(), n1); done || err != nil {
		t.Errorf("it ends again: %v, %v", done, err)
	}
	if mine, err := s.SweepTake(t.Context(), n1, "b", time.Minute); mine || err != nil {
		t.Errorf("it is swept again by somebody whose view is old: %v, %v", mine, err)
	}
	if n, _ := s.Nodes(t.Context()); len(n.Beats) != 0 || len(n.Deaths) != 0 {
		t.Errorf("the dead node is still there: %+v", n)
	}
	want := Record{Hold: Lost, Owner: n1, Fence: 1, SID: 1, Since: 4000, Connected: 1000, Inbound: 1000, Reason: NodeLost}
	if r := record(t, s, "d1"); r != want {
		t.Errorf("a lost device is %+v, want %+v", r, want)
	}
	// It lives after all: what it still has it asserts.
	got, err := s.Assert(t.Context(), n1, []Assertion{{Device: "d1", SID: 1, Connected: 1000, Inbound: 5000, Fence: 1}})
	if err != nil || got[0].Outcome != Applied || got[0].Fence != 2 {
		t.Errorf("an assertion after the sweep is %+v, %v; want applied with fence 2", got, err)
	}
}

func TestContract(t *testing.T) {
	stages(t, func(t *testing.T, s *stage) {
		for _, row := range contract {
			t.Run(row.name, func(t *testing.T) {
				s.clear()
				row.f(t, s)
			})
		}
		if s.name != "cluster" { // the servers are here already: the model, too
			s.clear()
		}
		t.Run("model", func(t *testing.T) { checkModel(t, s) })
	})
}
