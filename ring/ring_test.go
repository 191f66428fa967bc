package ring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// equalNodes returns n nodes of weight 1.
func equalNodes(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{ID: fmt.Sprintf("node-%04d", i), Addr: fmt.Sprintf("10.0.%d.%d:443", i/256, i%256), Zone: string(rune('a' + i%3)), Weight: 1}
	}
	return nodes
}

func mustBuild(t testing.TB, nodes []Node, o Options) *Ring {
	t.Helper()
	r, err := Build(1, nodes, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTableIsTheRule(t *testing.T) {
	for _, test := range []struct {
		name  string
		nodes []Node
		o     Options
	}{
		{"nobody", nil, Options{TableBits: 8}},
		{"one", equalNodes(1), Options{TableBits: 8}},
		{"one point", []Node{{ID: "a", Weight: 1e-9}}, Options{TableBits: 8}},
		{"one point each", []Node{{ID: "a", Weight: 1e-9}, {ID: "b", Weight: 1e-9}}, Options{TableBits: 8}},
		{"a node without weight", []Node{{ID: "a", Weight: 1}, {ID: "b"}}, Options{TableBits: 8}},
		{"three", equalNodes(3), Options{TableBits: 10}},
		{"fewer slots than points", equalNodes(40), Options{TableBits: 8}},
		{"sixteen", equalNodes(16), Options{}},
		{"sixteen raw", equalNodes(16), Options{Raw: true}},
		{"unequal", []Node{{ID: "a", Weight: 0.25}, {ID: "b", Weight: 2}, {ID: "c", Weight: 1}}, Options{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustBuild(t, test.nodes, test.o)
			if err := r.CheckInvariants(); err != nil {
				t.Error(err)
			}
			compareWithTwin(t, r, max(1, r.TableSlots()*r.points/5_000_000))
		})
	}
}

func TestEmptyAndZero(t *testing.T) {
	for name, nodes := range map[string][]Node{"empty": nil, "all weights zero": {{ID: "a"}, {ID: "b"}}} {
		r := mustBuild(t, nodes, Options{})
		if v := r.Lookup("some-device"); v != None {
			t.Errorf("%s: a key is of %d, want None", name, v)
		}
		if r.Node(None) != nil || len(r.LookupN(nil, "x", 3)) != 0 {
			t.Errorf("%s: there is a node for nobody", name)
		}
		// A ring that is nobody's becomes somebody's, and nobody's again.
		q, err := r.Apply(2, Change{Set: []Node{{ID: "c", Weight: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := idOf(q, q.Lookup("some-device")); got != "c" {
			t.Errorf("%s: with c a key is of %q", name, got)
		}
		q, err = q.Apply(3, Change{Set: []Node{{ID: "c", Weight: 0}}})
		if err != nil {
			t.Fatal(err)
		}
		if v := q.Lookup("some-device"); v != None {
			t.Errorf("%s: without weight a key is of %d", name, v)
		}
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, test := range []struct {
		name  string
		nodes []Node
		o     Options
		want  error
		text  string
	}{
		{"no id", []Node{{Addr: "1.2.3.4:5", Weight: 1}}, Options{}, ErrNode, `it has no id (addr "1.2.3.4:5")`},
		{"twice", []Node{{ID: "a"}, {ID: "a"}}, Options{}, ErrNode, `"a" is there twice`},
		{"long id", []Node{{ID: long}}, Options{}, ErrNode, "has 256 bytes"},
		{"not UTF-8", []Node{{ID: "a\xff"}}, Options{}, ErrNode, "not UTF-8"},
		{"control", []Node{{ID: "a", Zone: "eu\n"}}, Options{}, ErrNode, "control character"},
		{"NaN", []Node{{ID: "a", Weight: math.NaN()}}, Options{}, ErrNode, `node "a": weight NaN`},
		{"infinite", []Node{{ID: "a", Weight: math.Inf(1)}}, Options{}, ErrNode, "weight +Inf"},
		{"negative", []Node{{ID: "a", Weight: -1}}, Options{}, ErrNode, "is negative"},
		{"negative zero", []Node{{ID: "a", Weight: math.Copysign(0, -1)}}, Options{}, ErrNode, "is negative"},
		{"capacity", []Node{{ID: "a", Capacity: math.NaN()}}, Options{}, ErrNode, "capacity NaN"},
		{"1e9", []Node{{ID: "a", Weight: 1e9}}, Options{}, ErrTooBig, "1.6e+11 points"},
		{"too many points", slices.Repeat([]Node{{ID: "a", Weight: 6000}}, 18), Options{}, ErrTooBig, ""},
		{"points per unit", nil, Options{PointsPerUnit: -1}, ErrOptions, "must be 1 to"},
		{"table", nil, Options{TableBits: 21}, ErrOptions, "must be 8 to 20"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i := range test.nodes {
				if len(test.nodes) > 2 {
					test.nodes[i].ID = fmt.Sprint(i)
				}
			}
			_, err := Build(1, test.nodes, test.o)
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.text) {
				t.Errorf("error %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

// TestMostNodes: 65,535 nodes are a ring, one more is not.
func TestMostNodes(t *testing.T) {
	nodes := make([]Node, MaxNodes, MaxNodes+1)
	for i := range nodes {
		nodes[i] = Node{ID: fmt.Sprint("n", i), Weight: 1}
	}
	r := mustBuild(t, nodes, Options{PointsPerUnit: 4, TableBits: 20})
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
	last := r.Lookup("a device")
	if r.Node(last) == nil {
		t.Error("a key has no owner")
	}
	if _, err := r.Apply(2, Change{Set: []Node{{ID: "one more", Weight: 1}}}); !errors.Is(err, ErrTooBig) {
		t.Errorf("one more: %v", err)
	}
	if _, err := Build(1, append(nodes, Node{ID: "one more"}), Options{PointsPerUnit: 1}); !errors.Is(err, ErrTooBig) {
		t.Errorf("built with one more: %v", err)
	}
	if got := len(r.LookupN(nil, "a device", 20)); got != 20 {
		t.Errorf("%d fallbacks, want 20", got)
	}
}

// TestBalance: the largest share of the exact table, in units of what the
// weight asks for. The goals are 1.05 and 1.02 for equal nodes, 1.07 and 1.02 for
// unequal ones.
func TestBalance(t *testing.T) {
	for _, test := range []struct {
		nodes, points int
		unequal       bool
		most          float64
	}{
		{16, 160, false, 1.05}, {256, 160, false, 1.05}, {1024, 160, false, 1.05},
		{16, 640, false, 1.02}, {256, 640, false, 1.02}, {1024, 640, false, 1.02},
		{16, 160, true, 1.07}, {256, 160, true, 1.07}, {1024, 160, true, 1.07},
		{256, 640, true, 1.02}, {1024, 640, true, 1.05},
	} {
		nodes := equalNodes(test.nodes)
		for i := range nodes {
			if test.unequal {
				nodes[i].Weight = 0.25 + 1.75*float64(i*7919%1000)/1000
			}
		}
		r := mustBuild(t, nodes, Options{PointsPerUnit: test.points})
		worst := 0.0
		for i := range r.Nodes() {
			worst = max(worst, float64(r.Slots(i))/r.Target(i))
		}
		raw, largest := mustBuild(t, nodes, Options{PointsPerUnit: test.points, Raw: true}), 0.0
		for i := range raw.Nodes() {
			largest = max(largest, float64(raw.Slots(i))/raw.Target(i))
		}
		t.Logf("%d nodes x %d, unequal %v, %d slots: largest share %.3f of its target, raw %.3f", test.nodes, test.points, test.unequal, r.TableSlots(), worst, largest)
		if worst > test.most {
			t.Errorf("%d nodes x %d, unequal %v: the largest share is %.4f of its target, want at most %v", test.nodes, test.points, test.unequal, worst, test.most)
		}
	}
}

func TestLookupN(t *testing.T) {
	for _, nodes := range []int{1, 2, 5, 40} {
		r := mustBuild(t, append(equalNodes(nodes), Node{ID: "weightless"}), Options{PointsPerUnit: 20, TableBits: 9})
		w := twinOf(r)
		for i := range 40 {
			key := fmt.Sprint("device ", i)
			want := w.order(key)
			for _, n := range []int{0, 1, 2, 3, 17, nodes + 5} {
				var got []string
				for _, v := range r.LookupN([]Index{}, key, n) {
					got = append(got, idOf(r, v))
				}
				if !slices.Equal(got, want[:min(n, len(want))]) {
					t.Fatalf("%d nodes: the first %d of %q are %v, want %v", nodes, n, key, got, want[:min(n, len(want))])
				}
			}
			if got := len(r.LookupN(nil, key, math.MaxInt)); got != len(want) {
				t.Fatalf("all nodes are %d, want %d", got, len(want))
			}
			if first := r.Lookup(key); idOf(r, first) != want[0] {
				t.Fatalf("%q is of %q, the nearest is %q", key, idOf(r, first), want[0])
			}
		}
	}
}

func TestKeysOfAllLengths(t *testing.T) {
	r := mustBuild(t, equalNodes(7), Options{})
	key := []byte(strings.Repeat("a device with a long id \xff\x00 ", 20))
	for n := range key {
		k := key[:n]
		if a, b, c := r.Lookup(string(k)), r.LookupBytes(k), r.Owner(Hash(string(k))); a != b || a != c || Hash(string(k)) != HashBytes(k) {
			t.Fatalf("%d bytes: %d as string, %d as bytes, %d by hash", n, a, b, c)
		}
	}
}
