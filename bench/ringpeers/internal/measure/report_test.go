package measure

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roost/bench/ringpeers/internal/subject"
	"roost/bench/ringpeers/internal/timing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a run as it might be, with two sizes of rings and one peer.
func example() *Result {
	allocs := 0.0
	r := &Result{
		Schema:  Schema,
		Command: []string{"bench-ring", "--nodes", "16,1024"},
		Options: Options{Nodes: []int{16, 1024}, Rounds: 3, Windows: 2, Keys: 1024, Balance: 1024, Changed: 1},
		Env: Env{
			Began: time.Date(2026, 11, 27, 3, 4, 5, 0, time.UTC), Took: "5m0s", CPU: "a CPU", Cores: 2, Caches: "L1 32K, L2 1024K",
			Kernel: "Linux 6.18", Go: "go1.26.8 linux/amd64", GOAMD64: "v1", Commit: "0123456789ab", LoadBegan: "0.10 0.20 0.30", LoadEnded: "1.10 0.60 0.40",
		},
		Subjects: []SubjectInfo{{Name: "roost"}, {"a peer", "example.org/peer", "v1.2.3", "of no use"}},
		Notes:    []string{"something was left out"},
	}
	windows := func(medians ...float64) (rounds []timing.Windows) {
		for _, m := range medians {
			rounds = append(rounds, timing.Windows{Nanos: []float64{m, m - 0.1, m + 0.1}, Tried: 10})
		}
		return rounds
	}
	for i, n := range r.Options.Nodes {
		slower := 1 + float64(i)/2
		for mode, penalty := range map[Mode]float64{ModeOne: 1, ModeTwo: 1.05, ModeChain: 3} {
			f := slower * penalty
			rows := []LookupRow{
				{Lane: subject.FloorFold, Kind: subject.KindFloor, Rounds: windows(2*f, 1.8*f, 2.2*f)},
				{Lane: subject.LaneLookup, Kind: subject.KindRoost, Points: 160, Rounds: windows(2.4*f, 2.3*f, 2.5*f)},
				{Lane: subject.LaneHeld, Kind: subject.KindRoost, Points: 160, Rounds: windows(2.7*f, 2.6*f, 2.8*f)},
				{Lane: "a peer", Kind: subject.KindPeer, Rounds: []timing.Windows{{Nanos: []float64{200 * f}, Tried: 9}, {Tried: 60}, {Tried: 60}}},
			}
			for _, row := range rows {
				row.Nodes, row.Mode = n, mode
				if mode == ModeOne {
					row.Allocs = &allocs
				}
				r.Lookups = append(r.Lookups, row)
			}
		}
		cpu := func(micros ...float64) (rounds [][]timing.Single) {
			for _, m := range micros {
				rounds = append(rounds, []timing.Single{{CPU: m * 1e3 * slower, Wall: 2 * m * 1e3, Kept: true}})
			}
			return rounds
		}
		r.Times = append(r.Times,
			TimeRow{n, FloorCopy, TimeChange, cpu(17, 18, 19), 0},
			TimeRow{n, "roost", TimeBuild, cpu(30000, 29000, 31000), 3 << 20}, TimeRow{n, "roost", TimeChange, cpu(40, 41, 42), 600 << 10},
			TimeRow{n, "roost, not calibrated", TimeBuild, cpu(5000, 5100, 5200), 3 << 20}, TimeRow{n, "roost, not calibrated", TimeChange, cpu(40, 41, 42), 600 << 10},
			TimeRow{n, "a peer", TimeBuild, cpu(60000), 9 << 20}, TimeRow{n, "a peer", TimeChange, cpu(0.5, 0.6, 0.7), 12})
		r.Memory = append(r.Memory, MemoryRow{n, "roost", 2 << 20, 32 << 10 * (1 + 15*i)}, MemoryRow{n, "a peer", 123456, 0})
		r.Balance = append(r.Balance,
			BalanceRow{n, "roost", 1024, 1.1, 0.032, 1.0321, map[string]MoveFact{
				MoveRemove: {0.0625, 0, 0.0625, 1}, MoveAdd: {0.058, 0, 0.0588, 1}, MoveUp: {0.0058, 0, 0.0058, 1}, MoveDown: {0.0059, 0, 0.0059, 1}}},
			BalanceRow{n, "a peer", 1024, 1.3, 0.08, 0, map[string]MoveFact{MoveRemove: {0.08, 0.02, 0.0625, 1}, MoveAdd: {0.058, 0, 0.0588, 1}}})
		r.Reweights = append(r.Reweights,
			ReweightRow{n, 160, 1.1, 95.4, []int{90, 100, 80, 110}, 0, 0}, ReweightRow{n, 160, 0.9, 96.6, []int{90, 100, 20, 110}, 1, 2})
	}
	return r
}

func TestReportGolden(t *testing.T) {
	var b bytes.Buffer
	example().WriteMarkdown(&b)
	golden := filepath.Join("testdata", "report.md")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the report is another than %s (write it anew by -update):\n%s", golden, b.String())
	}
}

// TestEmptyReport: a run of some parts only has a report, and no goals of the
// others.
func TestEmptyReport(t *testing.T) {
	r := &Result{Options: Options{Nodes: []int{16}}}
	var b bytes.Buffer
	r.WriteMarkdown(&b)
	if goals := r.goals(); len(goals) != 0 || b.Len() == 0 {
		t.Errorf("goals of nothing: %+v", goals)
	}
}

func TestGoals(t *testing.T) {
	goals := map[string]Goal{}
	for _, g := range example().goals() {
		goals[g.Name] = g
	}
	for _, want := range []struct {
		name            string
		got             float64
		met, metByRatio bool
	}{
		{"lookup, 16 nodes: " + subject.LaneHeld, 2.7, false, true},    // 1.35 x floor; 1.44 is allowed
		{"lookup, 16 nodes: " + subject.LaneLookup, 2.4, true, true},   // 1.2 x
		{"lookup, 1024 nodes: " + subject.LaneHeld, 4.05, false, true}, // 1.35 x; 1.46
		{"two threads over one, 16 nodes: " + subject.LaneHeld, 1.05, true, false},
		{"weight of one node changed and published, 16 nodes", 41, false, false},
		{"weight of one node changed and published, 1024 nodes", 61.5, true, true},
		{"full build without calibration, 1024 nodes", 7.65, false, false},
		{"hot memory, the largest", 512, true, false},
		{"exact table max/avg, 16 nodes x 160", 1.0321, true, false},
		{"collateral, all changes of roost's rings in this run", 2, false, false},
		{"weight +-10 %, the worst node, 16 nodes x 160", 79.296, false, false},
		{"weight +-10 %: changes whose move is not the change of the node's share", 4, false, false},
	} {
		g, ok := goals[want.name]
		if !ok {
			t.Errorf("there is no goal %q", want.name)
			continue
		}
		if diff := g.Got.Median - want.got; diff > 0.001 || diff < -0.001 || g.Met != want.met || g.MetByRatio != want.metByRatio {
			t.Errorf("%s: got %v, met %v, by ratio %v; want %v, %v, %v", g.Name, g.Got.Median, g.Met, g.MetByRatio, want.got, want.met, want.metByRatio)
		}
	}
}
