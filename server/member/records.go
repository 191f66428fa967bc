package member

import (
	"strings"
	"time"

	"roost/decay/dawn"
	"roost/server/cluster"
)

// done is what names of records begin with in View.Config.
var done = strings.TrimPrefix(dawn.DonePrefix, "/config/")

// records reads the records of a view again when they have changed.
type records struct {
	count    int
	revision int64 // the highest
	list     []dawn.Record
	err      error
}

// of returns the records of all nights that v has, and what is wrong with others.
func (r *records) of(v *cluster.View) ([]dawn.Record, error) {
	count, revision := 0, int64(0)
	for name, e := range v.Config {
		if strings.HasPrefix(name, done) {
			count, revision = count+1, max(revision, e.Revision)
		}
	}
	if count != r.count || revision != r.revision {
		r.count, r.revision = count, revision
		r.list, r.err = cluster.Records(v)
	}
	return r.list, r.err
}

// factorOf is what is left of a node's weight at t: the lowest over all nights.
func factorOf(nights []dawn.Record, t time.Time, id, zone string) float64 {
	node, low := dawn.Node{ID: id, Zone: zone}, 1.0
	for i := range nights {
		low = min(low, nights[i].Factor(t, &node))
	}
	return low
}
