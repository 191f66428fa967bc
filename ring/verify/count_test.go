package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"roost/ring"
)

func nodes(n int, weight func(i int) float64) (nodes []ring.Node) {
	for i := range n {
		nodes = append(nodes, ring.Node{ID: fmt.Sprintf("node-%02d", i), Zone: string(rune('a' + i%3)), Weight: weight(i)})
	}
	return nodes
}

func equal(int) float64 { return 1 }

// both returns a counter under both presets with the same nodes.
func both(t testing.TB, o Options, n []ring.Node) *Counter {
	t.Helper()
	r, err := ring.Build(1, n, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := Seed(n)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(o, Roost(r), seed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t testing.TB, c *Counter, id string, count uint64) {
	t.Helper()
	if err := c.Add([]byte(id), count); err != nil {
		t.Fatal(err)
	}
}

// TestRoostSpreadsAllPatterns: every kind of id that devices have gets ok for
// everything under XXH3.
func TestRoostSpreadsAllPatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for name, id := range map[string]func(i int) string{
		"numbers":  func(i int) string { return fmt.Sprintf("device-%09d", i) },
		"short":    func(i int) string { return fmt.Sprint(i) },
		"mac":      func(i int) string { return fmt.Sprintf("00:1b:63:%02x:%02x:%02x", i>>16, i>>8&255, i&255) },
		"imei":     func(i int) string { return fmt.Sprintf("35209900%07d", i*10) },
		"uuid":     func(int) string { return fmt.Sprintf("%08x-%04x-4%03x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12)) },
		"reversed": func(i int) string { return fmt.Sprintf("%09d-device", i) },
	} {
		ring16, err := ring.Build(1, nodes(16, equal), ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Options{}, Roost(ring16))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20_000 {
			add(t, c, id(i), 1)
		}
		report := c.Report()
		p := &report.Placements[0]
		p.each(func(figure string, m *Measure) {
			if m.Verdict != OK {
				t.Errorf("%s: %s is %v: %+v", name, figure, m.Verdict, *m)
			}
		})
		if report.IDs != 20_000 || report.SampleOneIn != 1 || report.Duplicates.Value != 0 || p.Slots.Load != nil {
			t.Errorf("%s: %v ids, 1 in %d, duplicates %v", name, report.IDs, report.SampleOneIn, report.Duplicates.Value)
		}
	}
}

// TestSeedPresetIsFound: FNV-1a with numbered ids is told from chance, and by how
// much; so is a ring of its points.
func TestSeedPresetIsFound(t *testing.T) {
	c := both(t, Options{}, nodes(16, equal))
	for i := range 40_000 {
		add(t, c, fmt.Sprintf("device-%09d", i), 1)
	}
	p := c.Report().Placements[1]
	if p.Slots.IDs.Chi.Verdict != Bad || p.Slots.IDs.Entropy.Short.Verdict != Bad || p.RingMax.Verdict != Bad || p.Uneven.Verdict != Bad || len(p.UnevenPrefixes) == 0 {
		t.Errorf("chi-square %+v\nentropy %+v\nring %+v\nuneven %+v", p.Slots.IDs.Chi, p.Slots.IDs.Entropy, p.RingMax, p.Uneven)
	}
	if p.Name != "seed" || !strings.Contains(p.Slots.IDs.Chi.Says, "roost preset") {
		t.Errorf("%s: %s", p.Name, p.Slots.IDs.Chi.Says)
	}
}

// TestCollisionsAreFound: ids whose hashes share their top bits.
func TestCollisionsAreFound(t *testing.T) {
	c := both(t, Options{}, nodes(4, equal))
	made := 0
	for i := 0; made < 500; i++ {
		id := "x" + strconv.Itoa(i)
		if i < 20_000 {
			add(t, c, id, 1)
		} else if ring.Hash(id)>>56 == 0x7a { // 64 slots
			add(t, c, id, 1)
			made++
		}
	}
	s := c.Report().Placements[0].Slots.IDs
	if s.Max.Verdict != Bad || s.Sigma.Verdict != Bad || s.Chi.Verdict != Bad {
		t.Errorf("max %+v\nsigma %+v\nchi-square %+v", s.Max, s.Sigma, s.Chi)
	}
}

// TestNodesAgainstTargets: unequal weights are judged by their targets, a node
// without weight by none.
func TestNodesAgainstTargets(t *testing.T) {
	n := nodes(6, func(i int) float64 { return float64(i) / 2 })
	c := both(t, Options{}, n)
	for i := range 60_000 {
		add(t, c, fmt.Sprintf("device-%09d", i), 1)
	}
	p := c.Report().Placements[0]
	v := p.Nodes.IDs
	if v.Cells != 5 || v.Empty != 0 || v.Total != 60_000 || v.Max.Value > 1.05 || v.Sigma.Value > 0.1 {
		t.Errorf("%+v", v)
	}
	for i, row := range p.PerNode {
		weight := float64(i) / 2
		if math.Abs(row.Target-weight/7.5) > 1e-9 || weight > 0 && math.Abs(row.IDRatio-1) > 0.05 || weight == 0 && (row.IDs != 0 || row.IDRatio != 0) {
			t.Errorf("%+v", row)
		}
	}
	if p.RingMax.Verdict != OK {
		t.Errorf("ring %+v", p.RingMax)
	}
}

// TestRepeatsCountOnceAsIDs: a log of traffic, in which few ids make most lines.
func TestRepeatsCountOnceAsIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	zipf := rand.NewZipf(r, 1.3, 3, 24_999)
	c := both(t, Options{}, nodes(8, equal))
	for i := range 25_000 {
		add(t, c, fmt.Sprintf("device-%06d", i), 1)
	}
	for range 75_000 {
		add(t, c, fmt.Sprintf("device-%06d", zipf.Uint64()), 1)
	}
	report := c.Report()
	p := report.Placements[0]
	if report.IDs != 25_000 || math.Abs(report.Duplicates.Value-0.75) > 1e-9 || report.Duplicates.Verdict != Look {
		t.Errorf("%v ids, duplicates %+v", report.IDs, report.Duplicates)
	}
	if s := p.Slots.IDs; s.Total != 25_000 || s.Chi.Verdict != OK || s.Max.Verdict != OK {
		t.Errorf("ids: %+v", s)
	}
	if s := p.Slots.Load; s == nil || s.Total != 100_000 || s.Effective > 2000 || s.Chi.Verdict == Bad || s.Max.Verdict != Info {
		t.Errorf("load: %+v", s)
	}
	if report.HotID.Verdict == OK || report.HotIDs[0].ID != "device-000000" || report.HotIDs[0].Nodes["roost"] == "" {
		t.Errorf("hot ids: %+v, %+v", report.HotID, report.HotIDs)
	}
}

// TestHotPrefixByTraffic: one prefix of many has the load, and is named as far as
// it is common to the hot ones, no hot id in it.
func TestHotPrefixByTraffic(t *testing.T) {
	c := both(t, Options{}, nodes(8, equal))
	for i := range 50_000 {
		count := uint64(10)
		if i%10 == 3 {
			count = 200
		}
		add(t, c, fmt.Sprintf("eu-%d-%07d", i%10, i), count)
	}
	add(t, c, "eu-5-hot", 500_000)
	report := c.Report()
	if len(report.HotPrefixes) != 1 || report.HotPrefixes[0].Prefix != "eu-3-00" || report.HotPrefix.Verdict != Look {
		t.Errorf("hot prefixes %+v", report.HotPrefixes)
	}
	if p := report.HotPrefixes[0]; math.Abs(p.IDShare-0.1) > 0.01 || p.LoadShare < 0.4 || p.LoadShare > 0.55 {
		t.Errorf("%+v", p)
	}
	if len(report.HotIDs) != 1 || report.HotIDs[0].ID != "eu-5-hot" || report.HotID.Verdict != Bad {
		t.Errorf("hot ids %+v, %+v", report.HotID, report.HotIDs)
	}
	if report.CommonPrefix != "eu-" {
		t.Errorf("common prefix %q", report.CommonPrefix)
	}
	if s := report.Placements[0].Slots.Load; s == nil || s.Chi.Verdict == Bad {
		t.Errorf("load over slots: %+v", s)
	}
}

// TestSample: with more ids than are kept the figures of ids are a sample's, and
// those of load, which are then of the same ids, are judged in full.
func TestSample(t *testing.T) {
	c := both(t, Options{MostIDs: 5_000}, nodes(8, equal))
	for i := range 75_000 {
		add(t, c, fmt.Sprintf("device-%06d", i), 1)
	}
	report := c.Report()
	p := report.Placements[0]
	if report.SampleOneIn != 16 && report.SampleOneIn != 32 || math.Abs(report.IDs-75_000) > 6000 || report.Duplicates.Value != 0 {
		t.Errorf("1 in %d, %v ids, duplicates %v", report.SampleOneIn, report.IDs, report.Duplicates.Value)
	}
	if s := p.Slots.IDs; s.Total > 5_000 || s.Chi.Verdict != OK {
		t.Errorf("ids: %+v", s)
	}
	if s := p.Slots.Load; s == nil || s.Total != 75_000 || s.Chi.Verdict != OK || s.Max.Verdict != OK || math.Abs(s.Effective-75_000) > 6000 {
		t.Errorf("load: %+v", s)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "chosen by hash") {
		t.Errorf("notes: %s", notes)
	}
}

// TestEdges: what is empty, alone or without weight has a report like all others.
func TestEdges(t *testing.T) {
	one := nodes(1, equal)
	none := nodes(3, func(int) float64 { return 0 })
	for name, tt := range map[string]struct {
		nodes []ring.Node
		ids   []string
		count uint64
		note  string
	}{
		"nothing":       {nodes(3, equal), nil, 1, "no ids"},
		"one id":        {nodes(3, equal), []string{"a"}, 1, "fewer than"},
		"the empty id":  {nodes(3, equal), []string{"", ""}, 1, "fewer than"},
		"one node":      {one, []string{"a", "b", "c"}, 1, "fewer than"},
		"no weight":     {none, []string{"a", "b", "c"}, 1, "nobody owns"},
		"idle":          {nodes(3, equal), []string{"a", "b", "c"}, 0, "fewer than"},
		"largest count": {nodes(3, equal), []string{"a", "b", "c"}, MaxCount, "fewer than"},
		"strange bytes": {nodes(3, equal), []string{"\xff\x00\n", strings.Repeat("x", 5000)}, 1, "fewer than"},
	} {
		c := both(t, Options{}, tt.nodes)
		for _, id := range tt.ids {
			add(t, c, id, tt.count)
		}
		report := c.Report()
		checkNumbers(t, report)
		if report.Verdict == Bad && name != "idle" && name != "largest count" && report.Placements[0].Slots.IDs != nil && report.Placements[0].Slots.IDs.Chi.Verdict != OK {
			t.Errorf("%s: %v", name, report.Verdict)
		}
		if (report.Verdict == Info) != (len(tt.ids) == 0) {
			t.Errorf("%s: %v", name, report.Verdict)
		}
		if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, tt.note) {
			t.Errorf("%s: notes %q, want %q", name, notes, tt.note)
		}
	}
}

// checkNumbers requires that a report is JSON, text, and the same again.
func checkNumbers(t testing.TB, r *Report) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if b2, _ := json.Marshal(&again); string(b2) != string(b) {
		t.Fatalf("JSON is %s, read and written again %s", b, b2)
	}
	if err := r.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	check := func(name string, m *Measure) {
		if m.Value < 0 || m.Perfect < 0 || m.Look < 0 || m.Bad < 0 || m.Bad > 0 && m.Bad < m.Look || (m.Verdict == Info) != (m.Says == "") {
			t.Errorf("%s: %+v", name, *m)
		}
	}
	r.own(check)
	for i := range r.Placements {
		r.Placements[i].each(check)
	}
}

// FuzzCounter: nothing that is counted makes a report that is no report.
func FuzzCounter(f *testing.F) {
	f.Add([]byte("a\nb\nc"), uint64(1), uint8(3))
	f.Add([]byte("\n\n\xff"), uint64(MaxCount), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, count uint64, weight uint8) {
		c := both(t, Options{MostIDs: 512}, nodes(3, func(i int) float64 { return float64(weight) * float64(i) / 7 }))
		for i, id := range strings.Split(string(text), "\n") {
			if err := c.Add([]byte(id), count*uint64(i)); err != nil && !errors.Is(err, ErrCount) {
				t.Fatal(err)
			}
		}
		checkNumbers(t, c.Report())
	})
}

func TestBadOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no placement is accepted")
	}
	if _, err := New(Options{MostIDs: -1}, Roost(nil)); err == nil {
		t.Error("-1 ids are accepted")
	}
	if _, err := Seed([]ring.Node{{ID: "a", Weight: math.NaN()}}); !errors.Is(err, ring.ErrNode) {
		t.Errorf("weight NaN: %v", err)
	}
	c, err := New(Options{}, Roost(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add([]byte("a"), MaxCount+1); !errors.Is(err, ErrCount) {
		t.Errorf("count too large: %v", err)
	}
	if r := c.Report(); r.Lines != 0 || r.Placements[0].Nodes != nil {
		t.Errorf("%+v", r)
	}
}

// TestHolesInARing: after a node was removed its Index is free, and no row.
func TestHolesInARing(t *testing.T) {
	r, err := ring.Build(1, nodes(5, equal), ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Apply(2, ring.Change{Remove: []string{"node-02"}}); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{}, Roost(r))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		add(t, c, fmt.Sprint(i), 1)
	}
	p := c.Report().Placements[0]
	if len(p.PerNode) != 4 || p.Nodes.IDs.Cells != 4 || p.Nodes.IDs.Total != 5000 {
		t.Errorf("%d rows, %d cells, %v ids", len(p.PerNode), p.Nodes.IDs.Cells, p.Nodes.IDs.Total)
	}
}

func TestVerdictText(t *testing.T) {
	for v := Info; v <= Bad; v++ {
		b, _ := v.MarshalText()
		var again Verdict
		if err := again.UnmarshalText(b); err != nil || again != v {
			t.Errorf("%v: %v, %v", v, again, err)
		}
	}
	if err := new(Verdict).UnmarshalText([]byte("fine")); err == nil {
		t.Error("fine is no verdict")
	}
	if got := []string{group(0), group(999), group(1000), group(-1234567), number(0.1234567), number(12345.6), number(1e-9)}; !reflect.DeepEqual(got, []string{"0", "999", "1,000", "-1,234,567", "0.1235", "12,346", "1e-09"}) {
		t.Errorf("numbers are written %q", got)
	}
}
