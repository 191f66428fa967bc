package verify

import (
	"slices"
	"strings"
)

// hotIDs finds the ids with the most load, in 2 MiB: a count-min sketch of four
// rows, indexed by the four quarters of the hash, and the names of the ids whose
// estimate was largest. An estimate is never too low, and too high by at most
// 2.7/65536 of all load with a chance of 98 % (Cormode and Muthukrishnan, Journal
// of Algorithms 55, 2005); only what must be raised is (conservative update), so
// it is nearer.
type hotIDs struct {
	rows  [4][1 << 16]float64
	total float64
	top   []hotID
	least float64 // smallest load in top, if that is full
}

type hotID struct {
	id   string
	hash uint64
	load float64
}

// mostHot is how many ids are kept.
const mostHot = 32

// add counts a line.
func (h *hotIDs) add(id []byte, hash uint64, load float64) {
	if load <= 0 {
		return
	}
	h.total += load
	at := [4]uint16{uint16(hash), uint16(hash >> 16), uint16(hash >> 32), uint16(hash >> 48)}
	now := h.rows[0][at[0]]
	for i := 1; i < 4; i++ {
		now = min(now, h.rows[i][at[i]])
	}
	now += load
	for i := range at {
		h.rows[i][at[i]] = max(h.rows[i][at[i]], now)
	}
	// What has no 4,000th of the load so far is not hot, and need not be named.
	if now > h.least && now*4096 >= h.total {
		h.keep(id, hash, now)
	}
}

// keep puts an id among the top ones.
func (h *hotIDs) keep(id []byte, hash uint64, load float64) {
	at := slices.IndexFunc(h.top, func(o hotID) bool { return o.hash == hash })
	if at < 0 {
		if len(h.top) < mostHot {
			h.top = append(h.top, hotID{})
			at = len(h.top) - 1
		} else {
			at = h.smallest()
		}
		h.top[at].id, h.top[at].hash = string(id), hash
	}
	h.top[at].load = load
	if len(h.top) == mostHot {
		h.least = h.top[h.smallest()].load
	}
}

func (h *hotIDs) smallest() int {
	at := 0
	for i := range h.top {
		if h.top[i].load < h.top[at].load {
			at = i
		}
	}
	return at
}

// above returns the ids with at least a share of all load, the hottest first.
func (h *hotIDs) above(share float64) []hotID {
	var found []hotID
	for _, o := range h.top {
		if o.load >= share*h.total {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b hotID) int {
		switch {
		case a.load > b.load:
			return -1
		case a.load < b.load:
			return 1
		}
		return strings.Compare(a.id, b.id)
	})
	return found
}
