package main

import (
	"fmt"
	"maps"
	"slices"

	"roost/ring/preview"
	"roost/server/cluster"
)

// emptied names what a change by hand would leave without a node that takes devices: the cluster, or zones. The ring of now
// does not say so where other nodes have been ordered to be emptied and still own something.
func emptied(v *cluster.View, p *planned) (doubts []string) {
	after := cluster.WithPins(v, p.pins, p.unpin...)
	was, is := map[string]int{}, map[string]int{}
	left := 0
	for id, m := range v.Members {
		if v.Takes(id) {
			was[m.Zone]++
		}
		if after.Takes(id) && !slices.Contains(p.change.Remove, id) {
			is[m.Zone]++
			left++
		}
	}
	if len(was) > 0 && left == 0 {
		return []string{"with the drains and pins that there are, no node would take devices"}
	}
	for _, zone := range slices.Sorted(maps.Keys(was)) {
		if is[zone] == 0 {
			doubts = append(doubts, fmt.Sprintf("with the drains and pins that there are, no node of zone %s would take devices", preview.ZoneName(zone)))
		}
	}
	return doubts
}
