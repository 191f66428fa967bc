package ring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

func member(id string, weight float64, points int) Member {
	return Member{Node: Node{ID: id, Weight: weight}, Points: points}
}

func mustApply(t testing.TB, r *Ring, c Change) *Ring {
	t.Helper()
	next, err := r.Apply(r.Version()+1, c)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func mustRing(t testing.TB, d Definition) *Ring {
	t.Helper()
	r, err := d.Ring()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGrow: a ring that begins empty and gets its nodes one by one is as one
// that is made of its definition, down to the size of its chunks, and its shares
// are right.
func TestGrow(t *testing.T) {
	r := mustBuild(t, nil, Options{})
	for _, n := range equalNodes(300) {
		r = mustApply(t, r, Change{Set: []Node{n}})
		if (&draft{Ring: r}).misfits(r.points) {
			t.Fatalf("%v has %d chunks", r, len(r.chunks))
		}
	}
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
	r = mustApply(t, r, Change{Refit: 0.02})
	if off := worst(r); off > 0.02 {
		t.Errorf("the worst node is %.3f off", off)
	}
	// And back: chunks shrink too.
	for i := range 290 {
		r = mustApply(t, r, Change{Remove: []string{fmt.Sprintf("node-%04d", i)}})
	}
	if (&draft{Ring: r}).misfits(r.points) {
		t.Errorf("%v has %d chunks", r, len(r.chunks))
	}
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestGrowAtOnce: points that come all at once are not inserted one by one into
// the chunks of a small ring, which would take minutes.
func TestGrowAtOnce(t *testing.T) {
	empty := mustBuild(t, nil, Options{})
	r := mustApply(t, empty, Change{Set: equalNodes(2000)})
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
	heavy := mustApply(t, empty, Change{Set: []Node{{ID: "a", Weight: 1600}}})
	if got := heavy.Points(0); got != 256_000 {
		t.Errorf("a node of weight 1600 has %d points, want 256,000", got)
	}
	var ids []string
	for i := range 1990 {
		ids = append(ids, fmt.Sprintf("node-%04d", i))
	}
	if err := mustApply(t, r, Change{Remove: ids}).CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestHugeWeights: weights of a snapshot made elsewhere may stand for more
// points than a node can have. Nothing takes the points away that it has.
func TestHugeWeights(t *testing.T) {
	r := mustRing(t, Definition{Version: 1, PointsPerUnit: 160, TableBits: 8, Nodes: []Member{member("a", 1e9, 100), member("b", 1e9, 50), member("c", math.MaxFloat64, 3), member("d", math.MaxFloat64, 3)}})
	refitted := mustApply(t, r, Change{Refit: 0.01})
	moved := mustApply(t, r, Change{Set: []Node{{ID: "a", Weight: 1e9, Addr: "elsewhere"}}})
	for _, next := range []*Ring{refitted, moved} {
		if err := next.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
	if d := r.Compare(moved); d.Moved != 0 || moved.Node(0).Addr != "elsewhere" {
		t.Errorf("another address moves %d slots", d.Moved)
	}
	if _, err := r.Apply(2, Change{Set: []Node{{ID: "a", Weight: 2e9}}}); !errors.Is(err, ErrTooBig) {
		t.Errorf("another weight that is too heavy: %v", err)
	}
}

// TestRefitIsBounded: nodes with far fewer points than their weights stand for
// get more, round by round, and the ring stays within its limits.
func TestRefitIsBounded(t *testing.T) {
	var d = Definition{Version: 1, PointsPerUnit: 65536, TableBits: 8}
	for i := range 40 {
		d.Nodes = append(d.Nodes, member(fmt.Sprintf("%02d", i), 1, 1))
	}
	r := mustRing(t, d)
	next := mustApply(t, r, Change{Refit: 0.01})
	if err := next.CheckInvariants(); err != nil {
		t.Error(err)
	}
	if next.points > 40*200*fitRounds || worst(next) >= worst(r) {
		t.Errorf("%v: the worst node is %.2f off, was %.2f", next, worst(next), worst(r))
	}
}

// TestMostPoints: a change is refused for the points that it would really give.
func TestMostPoints(t *testing.T) {
	if testing.Short() || race {
		t.Skip("16 million points: the tests without -race and -short have it")
	}
	d := Definition{Version: 1, PointsPerUnit: 1000, TableBits: 8, Nodes: []Member{member("00", 300, 600_000)}}
	for i, left := 1, MaxPoints-600_000; left > 0; i++ {
		n := min(left, MaxNodePoints)
		d.Nodes = append(d.Nodes, member(fmt.Sprintf("%02d", i), 0.001, n))
		left -= n
	}
	r := mustRing(t, d)
	// In proportion to what it has it would get 1,048,576 points, not 525,000.
	if next, err := r.Apply(2, Change{Set: []Node{{ID: "00", Weight: 525}}}); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v, %v", next, err)
	}
	// Points that are taken away make room.
	if _, err := r.Apply(2, Change{Remove: []string{"01"}, Set: []Node{{ID: "new", Weight: 1}}}); err != nil {
		t.Error(err)
	}
	d.Nodes = append(d.Nodes, member("zz", 1, 1))
	if err := d.Check(); !errors.Is(err, ErrTooBig) {
		t.Errorf("one point more: %v", err)
	}
}

// TestBranches: two changes of one ring do not see each other.
func TestBranches(t *testing.T) {
	r := mustBuild(t, equalNodes(6), Options{TableBits: 8})
	mustApply(t, r, Change{Remove: []string{"node-0003"}, Set: []Node{{ID: "x", Weight: 1}}})
	next := mustApply(t, r, Change{Set: []Node{{ID: "node-0003", Weight: 2}}})
	compareWithTwin(t, next, 1)
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestOrderOfSet: the order in a change does not matter, nor does the history of
// the ring that is changed.
func TestOrderOfSet(t *testing.T) {
	r := mustBuild(t, equalNodes(9), Options{TableBits: 10})
	r = mustApply(t, r, Change{Remove: []string{"node-0002"}, Set: []Node{{ID: "b", Weight: 1.5}}})
	set := []Node{{ID: "x", Weight: 1}, {ID: "a", Weight: 0.7}, {ID: "node-0001", Weight: 3}, {ID: "node-0005", Weight: 0.2}}
	first := mustApply(t, r, Change{Set: set}).Definition()
	slices.Reverse(set)
	second := mustApply(t, r, Change{Set: set}).Definition()
	anew := mustApply(t, mustRing(t, r.Definition()), Change{Set: set}).Definition()
	if !first.Equal(&second) || !first.Equal(&anew) {
		t.Errorf("%+v\n%+v\n%+v", first, second, anew)
	}
}

// TestPlacesAreReused: an Index of a removed node is given again.
func TestPlacesAreReused(t *testing.T) {
	r := mustBuild(t, equalNodes(20), Options{TableBits: 10})
	for i := range 100 {
		r = mustApply(t, r, Change{
			Remove: []string{r.Node(r.order[0]).ID, r.Node(r.order[7]).ID},
			Set:    []Node{{ID: fmt.Sprint("x", i), Weight: 1}, {ID: fmt.Sprint("y", i), Weight: 1}},
		})
		if r.Places() != 20 || r.Len() != 20 {
			t.Fatalf("%d places for %d nodes", r.Places(), r.Len())
		}
	}
}

// TestTableBits: a ring gets another table.
func TestTableBits(t *testing.T) {
	r := mustBuild(t, equalNodes(50), Options{TableBits: 10})
	for _, bits := range []int{14, 9, 0} {
		next := mustApply(t, r, Change{TableBits: bits, Remove: []string{"node-0004"}, Refit: 0.05})
		if bits != 0 && next.TableBits() != bits || bits == 0 && next.TableBits() != 10 {
			t.Errorf("asked for 2^%d slots, has 2^%d", bits, next.TableBits())
		}
		if err := next.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Apply(2, Change{TableBits: 21}); !errors.Is(err, ErrOptions) {
		t.Errorf("2^21 slots: %v", err)
	}
	for _, test := range []struct{ nodes, bits int }{{0, 16}, {16, 16}, {400, 16}, {420, 17}, {1024, 18}, {4096, 18}, {4097, 19}, {20000, 20}} {
		if r := mustBuild(t, equalNodes(test.nodes), Options{Raw: true}); r.TableBits() != test.bits {
			t.Errorf("%d nodes have 2^%d slots, want 2^%d", test.nodes, r.TableBits(), test.bits)
		}
	}
}

// TestTwoInOneSlot: of two points so near to each other that one owns no slot,
// the other owns all the others.
func TestTwoInOneSlot(t *testing.T) {
	c := newCrafted(t, 2, 8)
	for _, pair := range [][2]uint64{{5 << 56, 5<<56 + 7}, {1<<64 - 3, 2}, {1<<63 - 1, 1 << 63}, {1<<55 - 1, 1<<55 + 1}, {1 << 55, 1<<55 + 2}} {
		for _, swap := range []bool{false, true} {
			a, b := pair[0], pair[1]
			if swap {
				a, b = b, a
			}
			c.insert(a, 0)
			c.insert(b, 1)
			c.at = map[uint64]map[Index]bool{a: {0: true}, b: {1: true}}
			c.check(t, fmt.Sprintf("%x and %x", a, b))
			c.fill()
			c.check(t, fmt.Sprintf("%x and %x, filled", a, b))
			c.remove(b, 1)
			c.at = map[uint64]map[Index]bool{a: {0: true}}
			c.check(t, fmt.Sprintf("%x alone", a))
			c.remove(a, 0)
		}
	}
}

// TestNoneHasNothing: what Find returns for nobody may be asked about.
func TestNoneHasNothing(t *testing.T) {
	r := mustBuild(t, equalNodes(2), Options{TableBits: 8})
	v := r.Find("nobody")
	if v != None || r.Points(v) != 0 || r.Slots(v) != 0 || r.Target(v) != 0 || r.Node(v) != nil {
		t.Errorf("nobody has %d points, %d slots, target %v", r.Points(v), r.Slots(v), r.Target(v))
	}
}

// TestDamaged: CheckInvariants sees what does not fit together.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func(r *Ring){
		"slot":             func(r *Ring) { r.table[3] = (r.table[3] + 1) % 3 },
		"nobody's slot":    func(r *Ring) { r.table[3] = None },
		"slots":            func(r *Ring) { r.slots[1]++ },
		"points of a node": func(r *Ring) { r.counts[1]-- },
		"points":           func(r *Ring) { r.points++ },
		"owner":            func(r *Ring) { r.chunks[0].node[0] = 77 },
		"order":            func(r *Ring) { c := r.chunks[0]; c.hash[0], c.hash[1] = c.hash[1], c.hash[0] },
		"chunk":            func(r *Ring) { r.chunks[0], r.chunks[1] = r.chunks[1], r.chunks[0] },
		"half a chunk":     func(r *Ring) { r.chunks[0].node = r.chunks[0].node[1:] },
		"weight":           func(r *Ring) { r.nodes[0].Weight = math.NaN() },
	} {
		r := mustBuild(t, equalNodes(3), Options{TableBits: 8})
		damage(r)
		if r.CheckInvariants() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
