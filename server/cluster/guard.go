package cluster

import (
	"maps"
	"time"
)

// The guard of members. Leases of nodes that are well can all be gone at once: etcd
// was set up anew, its clock stood still, somebody deleted a prefix. So where
// more than half of the members go within guardWindow they stay, until a list
// that is made Look later does not have them either. Who comes is let in at once.
//
//	here    members that count as there, those that are held included
//	gone    here, no key, not held yet
//	recent  let go within the window, not back
//
//	2 (gone + recent + held) > here + recent   ->  gone are held
//	else                                       ->  gone are let go

// guard is what is remembered from one view to the next. It is a value: look
// returns another one.
type guard struct {
	held map[string]heldMember
	left map[string]time.Time // let go, and when; those of the last window
}

// heldMember is a member whose key is gone.
type heldMember struct {
	member Member
	gone   time.Time
}

// guardSettings are times of the guard.
type guardSettings struct {
	window time.Duration // in which departures are counted together
	look   time.Duration // after which a list is a second look
}

// look decides which members count as there. here are those that did, keys those
// that have a key now. A list made at now is a second look for all that were gone
// for so long; a watch's events never are. The result shares no map with here.
func (g guard) look(here, keys map[string]Member, list bool, now time.Time, set guardSettings) (guard, map[string]Member) {
	next := guard{held: map[string]heldMember{}, left: map[string]time.Time{}}
	members := maps.Clone(keys)
	if members == nil {
		members = map[string]Member{}
	}
	for id, at := range g.left {
		if _, back := keys[id]; !back && now.Sub(at) < set.window {
			next.left[id] = at
		}
	}
	recent := len(next.left)
	for id, h := range g.held {
		switch _, back := keys[id]; {
		case back:
		case list && now.Sub(h.gone) >= set.look:
			next.left[id] = now
		default:
			next.held[id] = h
			members[id] = h.member
		}
	}
	var gone []Member
	for id, m := range here {
		_, is := keys[id]
		_, was := g.held[id]
		if !is && !was {
			gone = append(gone, m)
		}
	}
	hold := 2*(len(gone)+recent+len(next.held)) > len(here)+recent
	for _, m := range gone {
		if hold {
			next.held[m.ID] = heldMember{m, now}
			members[m.ID] = m
		} else {
			next.left[m.ID] = now
		}
	}
	return next, members
}

// times returns the held members with the times at which they went; nil if there
// are none.
func (g guard) times() map[string]time.Time {
	if len(g.held) == 0 {
		return nil
	}
	times := make(map[string]time.Time, len(g.held))
	for id, h := range g.held {
		times[id] = h.gone
	}
	return times
}

// due returns when a second look is due; zero if nobody is held.
func (g guard) due(set guardSettings) (at time.Time) {
	for _, h := range g.held {
		if t := h.gone.Add(set.look); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}
