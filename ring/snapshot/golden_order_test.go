package snapshot

import (
	"bytes"
	"math"
	"testing"

	"roost/ring"
)

// Where things are in the snapshot that twoFaults breaks: its nodes a and b have
// addresses of six bytes and zones of two.
const (
	idA, zoneA, weightA, capacityA, pointsA = 37, 46, 48, 56, 64
	idB, weightB                            = 69, 80
	nodesEnd                                = 100
)

// edit changes a snapshot.
type edit func(b []byte) []byte

func put(at int, v ...byte) edit {
	return func(b []byte) []byte { copy(b[at:], v); return b }
}

// ending puts v after the nodes.
func ending(v ...byte) edit {
	return func(b []byte) []byte { return append(append(b[:nodesEnd:nodesEnd], v...), make([]byte, hashBytes)...) }
}

func cutAt(at int) edit {
	return func(b []byte) []byte { return append(b[:at:at], make([]byte, hashBytes)...) }
}

// twoFaults are refused for the fault that is looked for first: a reader that
// looks in another order gives another code, and agrees with all that have one
// fault. What is named a-and-b has a before b.
func twoFaults(t *testing.T, good func() []byte) map[string]bad {
	nan := le.AppendUint64(nil, math.Float64bits(math.NaN()))
	set := func(b []byte, at int, v ...byte) []byte { return put(at, v...)(b) }
	sealed := func(edits ...edit) []byte {
		b := good()
		for _, e := range edits {
			b = e(b)
		}
		return seal(b)
	}
	if b := good(); len(b) != nodesEnd+hashBytes || b[idA] != 'a' || string(b[zoneA:zoneA+2]) != "z1" || b[idB] != 'b' || b[pointsA] != 3 {
		t.Fatalf("%x has its parts elsewhere", b)
	}
	return map[string]bad{
		"magic-and-short":                {[]byte("ROOSTRNX"), Magic},
		"magic-and-format":               {set(set(good(), 0, 'r'), 8, 2), Magic},
		"nine-bytes":                     {good()[:9], Short},
		"fifteen-bytes":                  {good()[:15], Short},
		"format-and-length":              {set(set(good(), 8, 2), 12, 43, 0, 0, 0), BadFormat},
		"format-and-hash":                {set(good(), 8, 2), BadFormat},
		"length-and-short":               {set(good(), 12, 43, 0, 0, 0)[:20], Length},
		"length-and-hash":                {append(set(good(), 50, 1), 0), Length},
		"hash-and-reserved":              {set(good(), 10, 1), BadHash},
		"reserved-11":                    {sealed(put(11, 1)), Reserved},
		"reserved-30":                    {sealed(put(30, 1)), Reserved},
		"reserved-10-and-placement":      {sealed(put(10, 1), put(29, 2)), Reserved},
		"reserved-31-and-placement":      {sealed(put(31, 1), put(29, 2)), Reserved},
		"reserved-and-table":             {sealed(put(31, 1), put(28, 7)), Reserved},
		"placement-and-bits":             {sealed(put(29, 2), put(28, 7)), Placement},
		"placement-and-points-unit":      {sealed(put(29, 2), put(24, 0, 0, 0, 0)), Placement},
		"bits-and-many-nodes":            {sealed(put(28, 21), put(32, 0, 0, 1, 0)), Table},
		"points-unit-and-many-nodes":     {sealed(put(24, 0, 0, 0, 0), put(32, 0, 0, 1, 0)), Table},
		"many-nodes-and-weight":          {sealed(put(32, 0, 0, 1, 0), put(weightA, nan...)), BadNode},
		"65536-nodes-whole":              {tooManyNodes(t), BadNode},
		"addr-control":                   {sealed(put(idA+2, '\t')), BadNode},
		"node-cut-and-weight":            {sealed(put(32, 1), put(weightA, nan...), cutAt(pointsA)), BadNode},
		"id-and-weight":                  {sealed(put(idA, '\n'), put(weightA, nan...)), BadNode},
		"zone-and-points":                {sealed(put(zoneA, '\n'), put(pointsA, 0)), BadNode},
		"order-and-weight":               {sealed(put(idB, 'a'), put(weightB, nan...)), BadNode},
		"order-and-points":               {sealed(put(idB, 'a'), put(weightB+16, 0)), BadNode},
		"weight-and-points":              {sealed(put(weightA+7, 0xbf), put(pointsA, 0)), Weight},
		"capacity-and-points":            {sealed(put(capacityA, nan...), put(pointsA, 0)), Weight},
		"weight-and-next-node":           {sealed(put(weightA, nan...), put(idB, '\n')), Weight},
		"points-and-next-node":           {sealed(put(pointsA, 0), put(idB, '\n')), Points},
		"points-and-next-weight":         {sealed(put(pointsA, 0), put(weightB, nan...)), Points},
		"points-and-node-more":           {sealed(put(pointsA, 0), put(32, 3)), Points},
		"points-and-section":             {sealed(put(pointsA, 0), ending(1, 0x80, 0, 0, 0, 0)), Points},
		"weight-and-points-all":          {manyPoints(t, math.NaN()), Weight},
		"section-cut-and-unknown":        {sealed(ending(1, 0x80, 9, 0, 0, 0, 1)), BadNode},
		"section-cut-and-order":          {sealed(ending(2, 0, 0, 0, 0, 0, 2, 0, 9, 0, 0, 0, 1)), BadNode},
		"section-order-and-next-cut":     {sealed(ending(2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 9)), BadSection},
		"section-unknown-and-next-cut":   {sealed(ending(2, 0x80, 0, 0, 0, 0, 3, 0x80, 9)), BadSection},
		"section-known-then-must-know":   {sealed(ending(2, 0, 1, 0, 0, 0, 7, 1, 0x80, 0, 0, 0, 0)), BadSection},
		"section-long-beyond-31-bits":    {sealed(ending(2, 0, 0xff, 0xff, 0xff, 0xff, 1)), BadNode},
		"points-beyond-31-bits":          {sealed(put(pointsA, 0, 0, 0, 0x80)), Points},
		"points-unit-beyond-31-bits":     {sealed(put(24, 0, 0, 0, 0x80)), Table},
		"nodes-beyond-31-bits":           {sealed(put(32, 0, 0, 0, 0x80)), BadNode},
		"section-then-head-cut":          {sealed(ending(2, 0, 0, 0, 0, 0, 7)), BadNode},
		"id-empty-and-weight":            {sealed(put(36, 0, 6, 'a', ':', '8', '0', '8', '0', 2, 'z', '1', 1), put(weightA, nan...)), BadNode},
		"reserved-and-placement-and-cut": {sealed(put(30, 1), put(29, 2), cutAt(50)), Reserved},
	}
}

// tooManyNodes has 65,536 nodes, all there and right: a reader that does not count
// takes it, with one node that has the number of nobody.
func tooManyNodes(t *testing.T) []byte {
	s := &Snapshot{Definition: ring.Definition{PointsPerUnit: 1, TableBits: 8}}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range ring.MaxNodes + 1 {
		id := []byte{digits[i/len(digits)/len(digits)], digits[i/len(digits)%len(digits)], digits[i%len(digits)]}
		s.Nodes = append(s.Nodes, ring.Member{Node: ring.Node{ID: string(id), Weight: 1}, Points: 1})
	}
	b, err := s.encode()
	if err != nil || bytes.Count(b, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}) < ring.MaxNodes+1 {
		t.Fatal(err)
	}
	return b
}
