package server

import (
	"time"

	"roost/server/cluster"
)

// A node that is cut off from Redis serves its devices with live messages of its own, and
// nothing else: nothing that is kept comes, nothing of other nodes. Where the others are not cut
// off, its devices are better off with them; where all are, sending devices around helps nobody.
// The others are heard by etcd, where each says with its weight, every second, whether it
// reaches Redis.

// shedAfter is how long a node has to be cut off before it sends devices away: longer
// than a failover.
const shedAfter = 10 * time.Second

// sight is what a node knows of who reaches Redis.
type sight struct {
	cut  time.Duration // since when it does not itself; 0: it does
	etcd bool          // what it knows of the others is of now
	well int           // others that say that they reach it
	ill  int           // others that say that they do not
}

// sheds reports whether the node sends its devices away: it has been cut off for so long,
// and at least half of the cluster, this node included, is not. Fewer could not take the devices of all that are, and
// who has lost whom is not known.
func (v sight) sheds(after time.Duration) bool {
	return v.cut >= after && v.etcd && v.well > 0 && v.well >= v.ill+1
}

// others counts those nodes that say of themselves whether they reach Redis.
func others(v *cluster.View, self string) (well, ill int) {
	for id := range v.Weights {
		if id == self || !v.Has(id) {
			continue
		}
		switch reached, said := v.ReachesRedis(id); {
		case !said:
		case reached:
			well++
		default:
			ill++
		}
	}
	return well, ill
}

// sight looks at Redis and at the others. It is called once a second.
func (k *clustered) sight(now time.Time) (v sight) {
	state := k.mesh.State()
	if state.Up || k.keeper.Up() {
		k.moves.cutSince = time.Time{}
		return v
	}
	if k.moves.cutSince.IsZero() {
		k.moves.cutSince = now
	}
	if v.cut = now.Sub(k.moves.cutSince); v.cut < k.s.opt.timing.cut {
		return v
	}
	view := k.opt.Members.View()
	v.etcd = view.Revision > 0 && view.Stale.IsZero()
	v.well, v.ill = others(view, k.s.opt.Node)
	return v
}
