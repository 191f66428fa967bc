package tally

import "reflect"

// Add adds what o has counted. o is not changed, nor referred to afterwards.
func (t *Tally) Add(o *Tally) {
	for len(t.Groups) < len(o.Groups) {
		t.Groups = append(t.Groups, Group{})
	}
	for i := range o.Groups {
		g, og := &t.Groups[i], &o.Groups[i]
		g.Counts.Add(&og.Counts)
		for k := range g.Hists {
			g.Hists[k] = g.Hists[k].Add(og.Hists[k])
		}
	}
	for k := range t.Hists {
		t.Hists[k] = t.Hists[k].Add(o.Hists[k])
	}
	t.Errors.Add(o.Errors)
	t.Rounds = append(t.Rounds, o.Rounds...)
	for i, x := range o.Waits {
		if i == len(t.Waits) {
			t.Waits = append(t.Waits, Wait{})
		}
		t.Waits[i].Messages += x.Messages
		t.Waits[i].Requests = max(t.Waits[i].Requests, x.Requests)
	}
}

// Total returns the sum over the groups.
func (t *Tally) Total() (sum Counts) {
	for i := range t.Groups {
		sum.Add(&t.Groups[i].Counts)
	}
	return sum
}

// Add adds what o has counted. Every field is a count.
func (c *Counts) Add(o *Counts) {
	v, ov := reflect.ValueOf(c).Elem(), reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		v.Field(i).SetUint(v.Field(i).Uint() + ov.Field(i).Uint())
	}
}
