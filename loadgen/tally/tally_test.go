package tally

import (
	"encoding/json"
	"testing"
)

// TestAddLosesNothing: a tally that went over the wire in two parts is the
// tally of both, misses and what is beyond the bounds included.
func TestAddLosesNothing(t *testing.T) {
	var whole Tally
	for part := range 2 {
		h := NewHist()
		for i := range 1000 {
			h.Record(int64(i+part*1000) * 1000)
		}
		h.Record(2 * MaxValue)
		h.Miss(3)
		part := Tally{Groups: []Group{{Counts: Counts{Expected: 5, BytesOut: 7}}}}
		part.Groups[0].Hists[Delivery] = h
		part.Errors.Count(ErrorKey{"dial", "ECONNREFUSED", "x"}, 2)
		b, err := json.Marshal(&part)
		if err != nil {
			t.Fatal(err)
		}
		var back Tally
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		whole.Add(&back)
	}
	d := whole.Groups[0].Hists[Delivery]
	if d.Count() != 2008 || d.Over != 2 || d.Misses != 6 {
		t.Errorf("count %d, over %d, misses %d", d.Count(), d.Over, d.Misses)
	}
	if got := d.Quantile(.5); got < 1_003_000 || got > 1_005_000 {
		t.Errorf("median %d", got)
	}
	if d.Quantile(.999) != MissValue || d.Max() != MissValue {
		t.Error("misses are not the largest")
	}
	if c := whole.Total(); c.Expected != 10 || c.BytesOut != 14 {
		t.Errorf("counts %+v", c)
	}
	if whole.Errors[ErrorKey{"dial", "ECONNREFUSED", "x"}] != 4 {
		t.Errorf("errors %v", whole.Errors)
	}
}
