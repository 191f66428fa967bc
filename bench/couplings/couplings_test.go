package couplings

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcomes runs all policies in a world.
func outcomes(t *testing.T, w *world, seed uint64) map[string]Outcome {
	t.Helper()
	all := map[string]Outcome{}
	for i := range policies {
		o, err := Simulate(context.Background(), w, &policies[i], seed)
		if err != nil {
			t.Fatal(err)
		}
		all[o.Policy] = o
	}
	return all
}

func worldNamed(t *testing.T, name string, length time.Duration) *world {
	for _, w := range worlds(length) {
		if w.Name == name {
			return &w
		}
	}
	t.Fatalf("no world %q", name)
	return nil
}

// TestPureAlone: of a world with one node at rest every number is known.
func TestPureAlone(t *testing.T) {
	w := world{RTT: ms([]float64{20}), Nodes: []nodeSpec{{Weight: 1, Places: 1000}}, Service: time.Nanosecond, Rate: 100, Length: 20 * time.Second}
	for name, o := range outcomes(t, &w, 1) {
		if o.Pushes < 1800 || o.Pushes > 2200 || o.P50 < 19.99 || o.P999 > 20.01 || o.Tries != 1 || o.FirstFailed != 0 || o.Near != 1 || o.Lost != 0 {
			t.Errorf("%s: %+v", name, o)
		}
	}
	w.Outages = []outage{{Node: 0, To: time.Minute, How: hang}}
	for name, o := range outcomes(t, &w, 1) {
		if o.Lost != o.Pushes || o.FirstFailed != 1 {
			t.Errorf("%s with a node that hangs for ever: %+v", name, o)
		}
	}
}

// TestPureCosts: of two nodes the first refuses or hangs, and the second is 10 ms away: a
// push that begins at the first one costs a round trip or the timeout more, and a look
// its round trip.
func TestPureCosts(t *testing.T) {
	w := world{RTT: ms([]float64{4, 10}), Nodes: []nodeSpec{{Zone: 0, Weight: 1, Places: 1000}, {Zone: 1, Weight: 1, Places: 1000}},
		Service: time.Nanosecond, Rate: 200, Length: 20 * time.Second}
	// All pushes come from zone 0 here.
	for how, want := range map[fault]float64{refuse: 4, hang: 1000} {
		w.Outages = []outage{{Node: 0, To: time.Minute, How: how}}
		all := outcomes(t, &w, 3)
		if o := all["random"]; o.P99 < want+9.99 || o.P99 > want+10.01 || o.P50 > want+10.01 || o.FirstFailed < 0.4 || o.FirstFailed > 0.6 {
			t.Errorf("%v, random: %+v", how, o)
		}
		if o := all["after failure"]; o.P99 < want+19.99 || o.P99 > want+20.01 {
			t.Errorf("%v, after failure: %+v", how, o)
		}
		if o := all["before push, 10 ms"]; o.FirstFailed > 0.2 || o.Blind > 2.01 {
			t.Errorf("%v, before push: %+v", how, o)
		}
	}
}

// TestPureKnows: what the report says holds for other seeds too.
func TestPureKnows(t *testing.T) {
	const length = 9 * time.Second
	for seed := uint64(1); seed < 3; seed++ {
		healthy := outcomes(t, worldNamed(t, "healthy", length), seed)
		random, given, near := healthy["random"], healthy["before push, given"], healthy["before push, 10 ms"]
		if near.Mean > 0.6*random.Mean || given.Mean < 0.9*random.Mean || given.Near > random.Near+0.05 {
			t.Errorf("seed %d: random %+v, given %+v, 10 ms %+v", seed, random, given, near)
		}
		slow := outcomes(t, worldNamed(t, "one is slow", length), seed)
		if a, b := slow["before push, 10 ms"], slow["after failure"]; a.P99 > b.P99 {
			t.Errorf("seed %d: one is slow: before %+v, after %+v", seed, a, b)
		}
		hangs := outcomes(t, worldNamed(t, "one hangs", length), seed)
		if a, b := hangs["both"], hangs["random"]; a.FirstFailed > 0.7*b.FirstFailed || a.Lost+b.Lost > 0 {
			t.Errorf("seed %d: one hangs: both %+v, random %+v", seed, a, b)
		}
	}
}

// TestPureRepeats: the same seed gives the same numbers.
func TestPureRepeats(t *testing.T) {
	w := worldNamed(t, "restarts", 4*time.Second)
	if a, b := outcomes(t, w, 5), outcomes(t, w, 5); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a, b := outcomes(t, w, 5), outcomes(t, w, 6); reflect.DeepEqual(a, b) {
		t.Error("another seed gives the same")
	}
}

// TestSockets: every choice of a node on real sockets, through each phase; no push fails.
func TestSockets(t *testing.T) {
	for _, how := range choices {
		list, err := sockets(t.Context(), how, 100, 100*time.Millisecond)
		if err != nil || len(list) != len(phases) {
			t.Fatalf("%v: %d phases, %v", how, len(list), err)
		}
		for _, o := range list {
			if o.Failed > 0 || o.Pushes == 0 {
				t.Errorf("%v: %+v", how, o)
			}
		}
	}
}

// TestPureRun: a short run writes its report and results, and no message is lost on sockets.
func TestPureRun(t *testing.T) {
	folder := t.TempDir()
	var out bytes.Buffer
	err := Run(context.Background(), Options{Out: folder, Length: 3 * time.Second, Phase: 100 * time.Millisecond, Command: []string{"bench", "couplings"}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## healthy", "| both |", "a near one hangs | after-failure", "Where each wins"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not have %q", want)
		}
	}
	raw, err := os.ReadFile(filepath.Join(folder, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Worlds  []struct{ Outcomes []Outcome }
		Sockets []SocketOutcome
	}
	if err := json.Unmarshal(raw, &x); err != nil || len(x.Worlds) != 7 || len(x.Sockets) != 4*len(phases) {
		t.Fatalf("%v: %d worlds, %d phases on sockets", err, len(x.Worlds), len(x.Sockets))
	}
	for _, o := range x.Sockets {
		if o.Failed > 0 || o.Pushes == 0 {
			t.Errorf("%+v", o)
		}
	}
	if err := Run(context.Background(), Options{Length: time.Second, Out: folder}, &out); err == nil {
		t.Error("a length of a second is taken")
	}
}
