package measure

import (
	"context"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"roost/bench/ringpeers/internal/subject"
	"roost/ring"
)

func TestSummarize(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		values []float64
		want   Spread
		text   string
	}{
		{nil, Spread{}, "-"},
		{[]float64{nan}, Spread{}, "-"},
		{[]float64{2}, Spread{2, 2, 2, 1}, "2.0"},
		{[]float64{3, nan, 1, 2}, Spread{2, 1, 3, 3}, "2.0 [1.0-3.0]"},
		{[]float64{4, 1, 2, 3}, Spread{2.5, 1, 4, 4}, "2.5 [1.0-4.0]"},
	} {
		if got := summarize(test.values); got != test.want || got.text(1) != test.text {
			t.Errorf("%v: %+v, %q", test.values, got, got.text(1))
		}
	}
	if got := summarize(ratios([]float64{2, 6, 1, 5}, []float64{1, 2, nan})); got != (Spread{2.5, 2, 3, 2}) {
		t.Errorf("ratios: %+v", got)
	}
}

// TestOrder: a round has every subject once, and the first changes.
func TestOrder(t *testing.T) {
	for n := 1; n < 20; n++ {
		first := map[int]bool{}
		for round := range 3 {
			seen := map[int]bool{}
			all := order(n, round)
			for _, i := range all {
				seen[i] = true
			}
			if len(all) != n || len(seen) != n {
				t.Errorf("%d subjects, round %d: %v", n, round, all)
			}
			first[all[0]] = true
		}
		if n > 2 && len(first) != 3 {
			t.Errorf("%d subjects: %d are first in three rounds", n, len(first))
		}
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, ""},
		{Options{Quick: true}, ""},
		{Options{Only: []string{"nothing"}}, `no part "nothing"`},
		{Options{Nodes: []int{1}}, "1 nodes"},
		{Options{Rounds: -1}, "rounds is -1"},
		{Options{Keys: 1000}, "at least 1024"},
		{Options{Keys: 5000}, "powers of two"},
	} {
		err := test.o.setDefaults()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.o, err, test.want)
		}
	}
	t.Chdir(t.TempDir())
	now := time.Date(2026, 11, 27, 3, 4, 5, 0, time.UTC)
	for _, want := range []string{"bench/results/ring-2026-11-27", "bench/results/ring-2026-11-27-030405"} {
		if got, err := new(Options).folder(now); got != want || err != nil {
			t.Errorf("folder %q, %v; want %q", got, err, want)
		}
	}
}

// TestMovedSlots: what is counted slot by slot is what the ring says.
func TestMovedSlots(t *testing.T) {
	t1, err := subject.Roost("", subject.PointsPerUnit, false).New(subject.Nodes(12))
	if err != nil {
		t.Fatal(err)
	}
	before := t1.(subject.RoostRing).Ring
	names := subject.Nodes(13)
	for _, test := range []struct {
		change  ring.Change
		changed string
		least   bool // more moves than those of the one node
	}{
		{ring.Change{Set: []ring.Node{{ID: names[3].Name, Weight: 1.1}}}, names[3].Name, false},
		{ring.Change{Set: []ring.Node{{ID: names[3].Name, Weight: 1.1}, {ID: names[4].Name, Weight: 0.5}}}, names[3].Name, true},
	} {
		after, err := before.Apply(2, test.change)
		if err != nil {
			t.Fatal(err)
		}
		d := before.Compare(after)
		moved, collateral := movedSlots(before, after, before.Find(test.changed))
		if moved != d.Moved || moved == 0 || (collateral > 0) != test.least {
			t.Errorf("%d slots moved, %d of them collateral; the ring says %d", moved, collateral, d.Moved)
		}
	}
}

func TestReweightAll(t *testing.T) {
	t1, err := subject.Roost("", subject.PointsPerUnit, false).New(subject.Nodes(8))
	if err != nil {
		t.Fatal(err)
	}
	for _, factor := range []float64{1.1, 0.9} {
		row, err := reweightAll(context.Background(), t1.(subject.RoostRing).Ring, subject.PointsPerUnit, factor)
		if err != nil {
			t.Fatal(err)
		}
		slots := float64(t1.(subject.RoostRing).Ring.TableSlots())
		ideal := slots * math.Abs(factor/(7+factor)-1.0/8)
		if len(row.Moved) != 8 || row.Collateral != 0 || row.Unlike != 0 || math.Abs(row.Ideal-ideal) > 1e-6 || row.WorstOff() < math.Abs(row.MeanOff()) {
			t.Errorf("times %v: %+v, ideal %v", factor, row, ideal)
		}
	}
}

// modulo gives key i to node i mod n: as bad as it can be when n changes.
type modulo struct{ names []string }

func (m modulo) Owner(key string) string {
	return m.names[ring.Hash(key)%uint64(len(m.names))]
}
func (m modulo) Impl() any                        { return m }
func (m modulo) Lookups(subject.Keys, int) uint64 { return 0 }
func (m modulo) Chain(subject.Keys, int) uint64   { return 0 }

// TestBalanceOf: against a subject of which all is known.
func TestBalanceOf(t *testing.T) {
	build := func(nodes []subject.Node) (subject.Table, error) {
		var m modulo
		for _, n := range nodes {
			m.names = append(m.names, n.Name)
		}
		return m, nil
	}
	s := subject.Subject{Name: "modulo", New: build, Next: func(_ subject.Table, _ subject.Change, after []subject.Node) (subject.Table, error) {
		return build(after)
	}}
	const n = 4
	row, err := balanceOf(s, subject.Nodes(n), subject.NewKeys(1<<15, 1), 2)
	if err != nil {
		t.Fatal(err)
	}
	if row.MaxAvg < 1 || row.MaxAvg > 1.1 || row.Std > 0.05 || row.TableMax != 0 {
		t.Errorf("keys by their hash: %+v", row)
	}
	// With one node more a key stays if its hash is the same modulo 4 and 5, as 4 of
	// 20 are: four fifths move, one fifth to the new node.
	add := row.Moves[MoveAdd]
	if math.Abs(add.Moved-0.8) > 0.02 || math.Abs(add.Collateral-0.6) > 0.02 || add.Nodes != 1 || add.Ideal != 1.0/5 {
		t.Errorf("add: %+v", add)
	}
	if remove := row.Moves[MoveRemove]; remove.Nodes != 2 || remove.Collateral < 0.3 || remove.Ideal != 1.0/n {
		t.Errorf("remove: %+v", remove)
	}
	if _, weights := row.Moves[MoveUp]; weights {
		t.Error("a subject without weights was given some")
	}
}

// TestCancelled: a run that is broken off says so, and does not go on.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, part := range parts {
		if err := Run(ctx, Options{Quick: true, Only: []string{part}, Out: t.TempDir()}, io.Discard); err == nil {
			t.Errorf("%s went on", part)
		}
	}
}
