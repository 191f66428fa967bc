package snapshot

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/ring"
)

var update = flag.Bool("update", false, "write ring/testdata anew: go test ./ring/snapshot -run Golden -update")

const (
	snapshots = "../testdata/snapshots"
	vectors   = "../testdata/vectors.tsv"
)

// keys are the ids in the vectors: usual ones, and those at the edges of the
// hash's cases.
func keys() (keys [][]byte) {
	for i := range 24 {
		keys = append(keys, fmt.Appendf(nil, "device-%09d", i*7919))
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 96, 97, 128, 129, 144, 160, 239, 240, 241, 256, 511, 512, 513, 1023, 1024, 1025, 3000} {
		key := make([]byte, n)
		for i := range key {
			key[i] = byte(i*131 + n)
		}
		keys = append(keys, key)
	}
	return append(keys, []byte("\xff\xfe not UTF-8 \xc3"), []byte("gerät-ß-日本"), bytes.Repeat([]byte{0}, 16), bytes.Repeat([]byte{0xff}, 12))
}

func node(id string, weight float64, points int) ring.Member {
	return ring.Member{Node: ring.Node{ID: id, Addr: id + ":8080", Zone: "z1", Weight: weight, Capacity: 20000}, Points: points}
}

// goldenRings are the snapshots that are read, by the name of their file.
func goldenRings(t *testing.T) map[string]*Snapshot {
	build := func(version uint64, nodes []ring.Node, o ring.Options) *ring.Ring {
		r, err := ring.Build(version, nodes, o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var cluster []ring.Node
	for i := range 100 {
		cluster = append(cluster, ring.Node{ID: fmt.Sprintf("node-%02d", i), Addr: fmt.Sprintf("10.1.0.%d:443", i), Zone: string(rune('a' + i%3)), Weight: []float64{1, 0.7, 1.3, 0.05}[i%4], Capacity: 20000})
	}
	base := build(41, cluster, ring.Options{TableBits: 14})
	changed, err := base.Apply(42, ring.Change{Set: []ring.Node{{ID: "node-50", Weight: 2}, {ID: "zürich-1", Weight: 1}}, Remove: []string{"node-03", "node-77"}})
	if err != nil {
		t.Fatal(err)
	}
	most := make([]ring.Member, ring.MaxNodes)
	for i := range most {
		most[i] = ring.Member{Node: ring.Node{ID: fmt.Sprintf("%05d", i), Weight: 1}, Points: 1}
	}
	golden := map[string]*Snapshot{
		"empty":       Of(build(1, nil, ring.Options{TableBits: 14})),
		"weightless":  Of(build(2, []ring.Node{{ID: "a"}, {ID: "b"}}, ring.Options{TableBits: 8})),
		"one":         Of(build(3, []ring.Node{{ID: "only", Weight: 1}}, ring.Options{TableBits: 8})),
		"one-point":   {Definition: ring.Definition{Version: 4, PointsPerUnit: 160, TableBits: 8, Nodes: []ring.Member{node("only", 5e-324, 1)}}},
		"two-points":  {Definition: ring.Definition{Version: 5, PointsPerUnit: 160, TableBits: 8, Nodes: []ring.Member{node("left", 1e9, 1), node("right", math.MaxFloat64, 1)}}},
		"three":       Of(build(math.MaxUint64, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 0.5}, {ID: "c", Weight: 2.25}}, ring.Options{PointsPerUnit: 40, TableBits: 10})),
		"cluster":     Of(base),
		"changed":     Of(changed),
		"most-nodes":  {Definition: ring.Definition{Version: 6, PointsPerUnit: 1, TableBits: 20, Nodes: most}},
		"future-part": {Definition: ring.Definition{Version: 7, PointsPerUnit: 160, TableBits: 9, Nodes: []ring.Member{node("a", 1, 160), node("b", 1, 150)}}, Sections: []Section{{Tag: 3, Data: []byte("from a later writer")}, {Tag: 9, Data: []byte{}}}},
		// The hashes of these ids differ by 12 times SplitMix64's increment, so the
		// second one's points are the first one's: ties, and the smaller id's.
		"coinciding": {Definition: ring.Definition{Version: 8, PointsPerUnit: 160, TableBits: 10, Nodes: []ring.Member{node("6wkrpgd3", 1, 100), node("VfNX5yhC", 1, 100), node("other", 1, 30)}}},
	}
	return golden
}

// bad is a snapshot that is not read, with the code.
type bad struct {
	b    []byte
	code Code
}

// refused are the snapshots that are not read.
func refused(t *testing.T) map[string]bad {
	encode := func(s *Snapshot) []byte {
		b, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := func() []byte {
		return encode(&Snapshot{Definition: ring.Definition{Version: 9, PointsPerUnit: 160, TableBits: 8, Nodes: []ring.Member{node("a", 1, 3), node("b", 2, 6)}}})
	}
	with := func(change func(b []byte) []byte) []byte { return seal(change(good())) }
	member := func(n ring.Member) []byte {
		return encode(&Snapshot{Definition: ring.Definition{Version: 9, PointsPerUnit: 160, TableBits: 8, Nodes: []ring.Member{n}}})
	}
	set := func(at int, v ...byte) []byte {
		return with(func(b []byte) []byte { copy(b[at:], v); return b })
	}
	before := func(b []byte, more ...byte) []byte { // the hash
		n := len(b) - hashBytes
		return append(append(b[:n:n], more...), b[n:]...)
	}
	half := append([]byte{}, good()[:60]...)
	flipped := good()
	flipped[50] ^= 4
	all := map[string]bad{
		"no-bytes":         {nil, Short},
		"seven-bytes":      {[]byte("ROOSTRN"), Short},
		"no-snapshot":      {[]byte("{\"format\":1}"), Magic},
		"format-2":         {set(8, 2), BadFormat},
		"format-2-cut":     {set(8, 2)[:10], BadFormat},
		"cut":              {half, Short},
		"head-only":        {good()[:12], Short},
		"longer":           {append(good(), 0), Length},
		"says-43":          {set(12, 43, 0, 0, 0)[:44], Length},
		"says-too-much":    {set(12, 1, 0, 0, 4), Length},
		"flipped":          {flipped, BadHash},
		"flipped-hash":     {func() []byte { b := good(); b[len(b)-1] ^= 1; return b }(), BadHash},
		"reserved-10":      {set(10, 1), Reserved},
		"reserved-31":      {set(31, 1), Reserved},
		"placement-2":      {set(29, 2), Placement},
		"table-7":          {set(28, 7), Table},
		"table-21":         {set(28, 21), Table},
		"no-points-unit":   {set(24, 0, 0, 0, 0), Table},
		"much-points-unit": {set(24, 1, 0, 1, 0), Table},
		"65536-nodes":      {set(32, 0, 0, 1, 0), BadNode},
		"one-node-more":    {set(32, 3), BadNode},
		"no-id":            {member(ring.Member{Node: ring.Node{Weight: 1}, Points: 1}), BadNode},
		"id-not-utf8":      {member(node("a\xff", 1, 1)), BadNode},
		"id-surrogate":     {member(node("a\xed\xa0\x80", 1, 1)), BadNode},
		"id-overlong":      {member(node("a\xc0\x80", 1, 1)), BadNode},
		"id-control":       {member(node("a\n", 1, 1)), BadNode},
		"zone-control":     {member(ring.Member{Node: ring.Node{ID: "a", Zone: "\x7f", Weight: 1}, Points: 1}), BadNode},
		"twice":            {encode(&Snapshot{Definition: ring.Definition{PointsPerUnit: 1, TableBits: 8, Nodes: []ring.Member{node("a", 1, 3), node("a", 1, 3)}}}), BadNode},
		"descending":       {encode(&Snapshot{Definition: ring.Definition{PointsPerUnit: 1, TableBits: 8, Nodes: []ring.Member{node("b", 1, 3), node("a", 1, 3)}}}), BadNode},
		"weight-nan":       {member(node("a", math.NaN(), 1)), Weight},
		"weight-inf":       {member(node("a", math.Inf(1), 1)), Weight},
		"weight-negative":  {member(node("a", -1, 1)), Weight},
		"weight-minus-0":   {member(node("a", math.Copysign(0, -1), 0)), Weight},
		"capacity-nan":     {member(ring.Member{Node: ring.Node{ID: "a", Weight: 1, Capacity: math.NaN()}, Points: 1}), Weight},
		"no-points":        {member(node("a", 1, 0)), Points},
		"points-for-0":     {member(node("a", 0, 1)), Points},
		"points-node":      {member(node("a", 1, ring.MaxNodePoints+1)), Points},
		"points-all":       {manyPoints(t, 1), Points},
		"section-unknown":  {with(func(b []byte) []byte { return before(b, 1, 0x80, 0, 0, 0, 0) }), BadSection},
		"section-0":        {with(func(b []byte) []byte { return before(b, 0, 0, 0, 0, 0, 0) }), BadSection},
		"section-order":    {with(func(b []byte) []byte { return before(b, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0) }), BadSection},
		"section-cut":      {with(func(b []byte) []byte { return before(b, 2, 0, 9, 0, 0, 0, 1) }), BadNode},
		"section-head-cut": {with(func(b []byte) []byte { return before(b, 2, 0, 9) }), BadNode},
	}
	maps.Copy(all, twoFaults(t, good))
	return all
}

// manyPoints has 17 nodes, of which the last, with its weight, is one too many.
func manyPoints(t *testing.T, weight float64) []byte {
	s := &Snapshot{Definition: ring.Definition{PointsPerUnit: 1, TableBits: 8}}
	for i := range 17 {
		s.Nodes = append(s.Nodes, node(fmt.Sprintf("%02d", i), 1, ring.MaxNodePoints))
	}
	s.Nodes[16].Weight = weight
	b, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// seal sets the length and the content hash right.
func seal(b []byte) []byte {
	if !bytes.Equal(b[12:16], []byte{43, 0, 0, 0}) && !bytes.Equal(b[12:16], []byte{1, 0, 0, 4}) {
		le.PutUint32(b[12:], uint32(len(b)))
	}
	body := b[:len(b)-hashBytes]
	le.PutUint64(b[len(body):], ring.HashBytes(body))
	return b
}

// TestGolden holds what this package reads and writes, and what the ring
// answers, to the files that every implementation is held to.
func TestGolden(t *testing.T) {
	var out strings.Builder
	out.WriteString("# What every implementation of docs/RING.md answers. Made by: go test ./ring/snapshot -run Golden -update\n")
	files := map[string][]byte{}
	for name, s := range goldenRings(t) {
		b, err := s.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files["v1/"+name+".ring"] = b
		if name == "three" || name == "future-part" {
			if files["v1/"+name+".json"], err = s.EncodeJSON(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, bad := range refused(t) {
		files["refused/"+name+".ring"] = bad.b
	}
	writeOrCompare(t, files)
	writeLoads(t, &out)
	writeRefusals(t, &out)
	writeLookups(t, &out)
	writeCanaries(&out)
	if *update {
		if err := os.WriteFile(vectors, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(vectors)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(out.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("%s:%d: %q, this package says %q", vectors, i+1, line, append(got, "nothing")[min(i, len(got))])
		}
	}
}

func writeOrCompare(t *testing.T, files map[string][]byte) {
	for name, b := range files {
		file := filepath.Join(snapshots, name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if kept, err := os.ReadFile(file); err != nil || !bytes.Equal(kept, b) {
			t.Errorf("%s is not what this package writes (%v)", file, err)
		}
	}
}

// all returns the files below a folder of snapshots, in order.
func all(t *testing.T, pattern string) (names []string) {
	files, err := filepath.Glob(filepath.Join(snapshots, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	for _, file := range files {
		name, _ := filepath.Rel(snapshots, file)
		names = append(names, filepath.ToSlash(name))
	}
	return names
}

func read(t *testing.T, name string) []byte {
	b, err := os.ReadFile(filepath.Join(snapshots, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeLoads reads the snapshots of every format that is kept, and holds the
// JSON forms to the binary ones.
func writeLoads(t *testing.T, out *strings.Builder) {
	for _, name := range all(t, "v*/*.ring") {
		s, err := Decode(read(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		hash, _ := s.Hash()
		fmt.Fprintf(out, "load\t%s\t%d\t%016x\t%d\n", name, s.Version, hash, len(s.Nodes))
	}
	for _, name := range all(t, "v*/*.json") {
		s, err := DecodeJSON(read(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, _ := s.Encode(); !bytes.Equal(b, read(t, strings.TrimSuffix(name, "json")+"ring")) {
			t.Errorf("%s is not what its binary form says", name)
		}
	}
}

func writeRefusals(t *testing.T, out *strings.Builder) {
	want := refused(t)
	for _, name := range all(t, "refused/*.ring") {
		_, err := Decode(read(t, name))
		bad, ok := err.(*Error)
		if code := want[strings.TrimSuffix(filepath.Base(name), ".ring")].code; !ok || bad.Code != code {
			t.Errorf("%s: %v, want %v", name, err, code)
			continue
		}
		fmt.Fprintf(out, "refuse\t%s\t%s\n", name, bad.Code)
	}
}

func writeLookups(t *testing.T, out *strings.Builder) {
	for _, name := range all(t, "v*/*.ring") {
		s, err := Decode(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Ring()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys() {
			var ids []string
			for _, v := range r.LookupN(nil, string(key), 4) {
				ids = append(ids, r.Node(v).ID)
			}
			if v := r.LookupBytes(key); v == ring.None != (ids == nil) || v != ring.None && r.Node(v).ID != ids[0] {
				t.Fatalf("%s: %x is of %v, the nearest are %v", name, key, r.Node(v), ids)
			}
			if ids == nil {
				ids = []string{"-"}
			}
			fmt.Fprintf(out, "lookup\t%s\t%s\t%016x\t%s\n", name, hex.EncodeToString(key), ring.HashBytes(key), strings.Join(ids, ","))
		}
		owners := make([]byte, 0, 2*r.TableSlots())
		for slot := range r.TableSlots() {
			owners = le.AppendUint16(owners, uint16(r.Slot(slot)))
		}
		fmt.Fprintf(out, "table\t%s\t%016x\n", name, ring.HashBytes(owners))
	}
}

func writeCanaries(out *strings.Builder) {
	one := ring.NewRoutes(nil, nil, 0)
	for _, share := range []int{0, 1, 500, 5000, 9999, 10000} {
		rs := ring.NewRoutes(one.Stable(), one.Stable(), share)
		for _, key := range keys() {
			fmt.Fprintf(out, "canary\t%s\t%d\t%d\n", hex.EncodeToString(key), share, map[bool]int{true: 1}[rs.OnCanary(ring.HashBytes(key))])
		}
	}
}
