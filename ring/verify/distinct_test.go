package verify

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"roost/ring"

	"pgregory.net/rapid"
)

// TestDistinctIsExact up to its bound, against a map.
func TestDistinctIsExact(t *testing.T) {
	type seen struct {
		load  float64
		lines uint32
	}
	rapid.Check(t, func(t *rapid.T) {
		d, want := newDistinct(4096, true), map[uint64]seen{}
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		different := rapid.IntRange(1, 3000).Draw(t, "different")
		for i := range rapid.IntRange(0, 5000).Draw(t, "lines") {
			n := r.IntN(different)
			hash := ring.Hash(fmt.Sprint("id-", n))
			load := float64(i % 7)
			fresh := d.add(hash, ^hash, load)
			o, known := want[hash]
			if (fresh == 1) == known {
				t.Fatalf("id %d: fresh %v, known %v", n, fresh, known)
			}
			want[hash] = seen{o.load + load, o.lines + 1}
		}
		if d.n != len(want) || d.level != 0 {
			t.Fatalf("%d ids at level %d, want %d", d.n, d.level, len(want))
		}
		found := 0
		for i, hash := range d.keys {
			if hash == 0 {
				continue
			}
			if found++; want[hash] != (seen{d.load[i], d.lines[i]}) || d.alt[i] != ^hash {
				t.Fatalf("%x: load %v, lines %d, want %+v", hash, d.load[i], d.lines[i], want[hash])
			}
		}
		if found != len(want) {
			t.Fatalf("%d found, want %d", found, len(want))
		}
	})
}

// TestDistinctSamples beyond its bound: the estimate is right, memory is bounded,
// and an id of the sample is there with all its lines.
func TestDistinctSamples(t *testing.T) {
	const ids, most = 100_000, 1 << 12
	d := newDistinct(most, true)
	fresh := 0.0
	for range 3 {
		for i := range ids {
			hash := ring.Hash(fmt.Sprint("device-", i))
			fresh += d.add(hash, ^hash, 2)
		}
	}
	if d.n > most || len(d.keys) > 4*most {
		t.Fatalf("%d ids in %d places, at most %d are allowed", d.n, len(d.keys), most)
	}
	// 2,000 to 4,000 are in the sample: 2 % of standard deviation.
	estimate := float64(d.n) * math.Pow(2, float64(d.level))
	if math.Abs(estimate-ids) > 0.1*ids || math.Abs(fresh-ids) > 0.1*ids {
		t.Errorf("%d different ids are taken for %.0f, and %.0f were fresh", ids, estimate, fresh)
	}
	for i, hash := range d.keys {
		if hash != 0 && (d.lines[i] != 3 || d.load[i] != 6 || d.alt[i] != ^hash || d.place(hash, mix(hash)) != i) {
			t.Fatalf("%x has %d lines and load %v, want 3 and 6; found at %d, is at %d", hash, d.lines[i], d.load[i], d.place(hash, mix(hash)), i)
		}
	}
}

// TestDistinctBearsCollisions: hashes that agree in the bits of the slot, or in
// those of the canary, are no worse than others.
func TestDistinctBearsCollisions(t *testing.T) {
	for name, hash := range map[string]func(i uint64) uint64{
		"same slot":   func(i uint64) uint64 { return 0xabcd<<48 | i },
		"same canary": func(i uint64) uint64 { return i<<32 | 0x1234 },
		"small":       func(i uint64) uint64 { return i },
	} {
		d := newDistinct(1<<14, false)
		for i := range uint64(100_000) {
			d.add(hash(i), 0, 1)
		}
		if estimate := float64(d.n) * math.Pow(2, float64(d.level)); math.Abs(estimate-100_000) > 5000 {
			t.Errorf("%s: 100,000 ids are taken for %.0f", name, estimate)
		}
		longest, run := 0, 0
		for _, k := range d.keys {
			if run++; k == 0 {
				run = 0
			}
			longest = max(longest, run)
		}
		if longest > 200 {
			t.Errorf("%s: %d places in a row are taken", name, longest)
		}
	}
}

func TestSeedHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SliceOf(rapid.Byte()).Draw(t, "id")
		if got, want := seedHash(id), ring.SeedHash(string(id)); got != want {
			t.Fatalf("%x has hash %x, want %x", id, got, want)
		}
	})
}

// TestHotIDsBound: no estimate is too low, none much too high, and every id with
// a thousandth of the load is named.
func TestHotIDsBound(t *testing.T) {
	var h hotIDs
	want := map[string]float64{}
	add := func(id string, load float64) {
		h.add([]byte(id), ring.Hash(id), load)
		want[id] += load
	}
	for i := range 100_000 {
		add(fmt.Sprint("cold-", i), 1)
		if i%100 == 0 {
			add(fmt.Sprint("hot-", i%1000/100), 10) // ten with about a hundredth each
		}
	}
	add("late", 700)
	found := h.above(hotIDShare)
	if len(found) != 11 {
		t.Fatalf("%d hot ids, want 11: %v", len(found), found)
	}
	for i, o := range found {
		if o.load < want[o.id] || o.load > want[o.id]+1e-4*h.total {
			t.Errorf("%s has load %v, want %v", o.id, o.load, want[o.id])
		}
		if i > 0 && o.load > found[i-1].load {
			t.Error("not the hottest first")
		}
	}
}

// TestPrefixesBound: against exact counts, whatever the order of the lines.
func TestPrefixesBound(t *testing.T) {
	for name, id := range map[string]func(i int) string{
		"numbers": func(i int) string { return fmt.Sprintf("device-%07d", i) },
		"spread":  func(i int) string { return fmt.Sprintf("%016x", mix(uint64(i))) },
		"bytes": func(i int) string {
			return string(binary.BigEndian.AppendUint64(nil, mix(uint64(i))))
		},
		"uneven": func(i int) string { return fmt.Sprintf("%c%c-%d", 'a'+i%2*(i%3), 'k'+i%11, i) },
	} {
		p := newPrefixes(1)
		want := map[string]float64{}
		const n = 30_000
		for i := range n {
			s := id(i)
			hash := [1]uint64{ring.Hash(s)}
			p.add([]byte(s), 1, 1, hash[:])
			p.shrink()
			for l := 1; l <= min(len(s), MaxPrefix); l++ {
				want[s[:l]]++
			}
		}
		if size := len(p.nodes) - len(p.free); size > mostPrefixes || len(p.nodes) > mostPrefixes+MaxPrefix {
			t.Errorf("%s: %d prefixes, at most %d are allowed", name, size, mostPrefixes)
		}
		if p.nodes[0].ids != n {
			t.Errorf("%s: %v ids in all", name, p.nodes[0].ids)
		}
		found := map[string]bool{}
		p.walk(0, func(i int32, node *prefixNode) {
			text := p.text(i)
			found[text] = true
			ids := 0.0
			for _, v := range p.histOf(i, 0)[:strata] {
				ids += float64(v)
			}
			if node.ids > want[text] || node.ids != ids || node.ids != node.load {
				t.Errorf("%s: %q has %v ids, %v over the strata, want at most %v", name, text, node.ids, ids, want[text])
			}
		})
		for text, ids := range want {
			if ids >= 0.01*n && !found[text] {
				t.Errorf("%s: %q has %v ids and is not found", name, text, ids)
			}
		}
	}
}

// TestPrefixesLiveWithAnything: any sequence of lines keeps the tree in order.
func TestPrefixesLiveWithAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPrefixes(2)
		for _, id := range rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(0, 3), 0, 20), 20, 200).Draw(t, "ids") {
			for range 20 {
				p.add(id, 1, float64(len(id)), []uint64{ring.HashBytes(id), 7})
			}
			if rapid.IntRange(0, 50).Draw(t, "prune") == 0 {
				p.need *= 2
				p.prune(0)
			}
		}
		used := 1
		p.walk(0, func(i int32, n *prefixNode) {
			used++
			parent := &p.nodes[n.parent]
			if n.depth != parent.depth+1 || n.mass > parent.mass || n.lines > parent.lines || len(p.text(i)) != int(n.depth) {
				t.Fatalf("prefix %q: %+v below %+v", p.text(i), *n, *parent)
			}
		})
		if used != len(p.nodes)-len(p.free) {
			t.Fatalf("%d prefixes are reached, %d in use", used, len(p.nodes)-len(p.free))
		}
	})
}
