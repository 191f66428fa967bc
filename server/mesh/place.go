package mesh

import (
	"math"
	"slices"

	"roost/ring"
	"roost/server/cluster"
)

const noIndex = ring.None

// Place is a node as the place of a device.
type Place struct {
	Node string // id; "" is none
	URL  string // where devices connect; of the member, else of the ring
	API  string // where publishers do; "" is not known
	Zone string
	Mine bool // it is this node
	// Alive: it is a member whose key is there, and does not drain; of nobody where no members
	// are known. Draining: it asks to be emptied.
	Alive, Draining bool

	// What says so.
	Canary     bool         // the ring on trial
	Version    uint64       // of the ring
	Hash       cluster.Hash // of the ring
	Activation int64        // of the pointer that has the ring in force
}

// choices is of how many owners one is chosen by weight once one has failed.
const choices = 3

// nearOwners is how many owners are looked at first: a few that are dead, and choices.
const nearOwners = 8

// Owner says which node owns a device by the rings that are in force, whether or not it is there. The zero
// Place is said where nobody has weight. It takes no lock and allocates nothing.
func (m *Mesh) Owner(device []byte) Place {
	a := m.o.Rings.Load()
	r, i := a.Routes.Owner(ring.HashBytes(device))
	return m.place(a, m.o.Members.View(), r, i)
}

// Route says where a device is to connect: to its owner, or where that is dead, drains or is among failed, to
// the next by ring that is not. After a failure it is one of the next 3, by the weights that they publish: each device its own, the
// same each time, so that those of a dead node spread as the others can take them. ok is false where nobody is
// left; then a device had best stay, or try again.
func (m *Mesh) Route(device []byte, failed []string) (Place, bool) {
	var room [choices]Place
	n := 1
	if len(failed) > 0 {
		n = choices
	}
	found := m.Candidates(room[:0], device, failed, n)
	if len(found) == 0 {
		return Place{}, false
	}
	var weights [choices]float64
	weigh(weights[:len(found)], m.o.Members.View(), found)
	return found[pick(ring.HashBytes(device), weights[:len(found)])], true
}

// Candidates appends up to n nodes to which a device may connect: its owner and then the
// next ones by ring, without those that are among failed, dead or drain.
func (m *Mesh) Candidates(dst []Place, device []byte, failed []string, n int) []Place {
	a, v := m.o.Rings.Load(), m.o.Members.View()
	hash := ring.HashBytes(device)
	r, _ := a.Routes.Owner(hash)
	var room [nearOwners]ring.Index
	most, begin := len(dst)+n, len(dst)
	for want := nearOwners; ; want *= 4 {
		dst = dst[:begin]
		owners := r.OwnersN(room[:0], hash, min(want, r.Len()))
		for _, i := range owners {
			if len(dst) == most {
				return dst
			}
			p := m.place(a, v, r, i)
			if p.usable(v) && !slices.Contains(failed, p.Node) {
				dst = append(dst, p)
			}
		}
		if len(dst) == most || len(owners) < want {
			return dst
		}
	}
}

// usable reports whether a device may be sent there.
func (p *Place) usable(v *cluster.View) bool {
	return p.Alive || p.Mine && !p.Draining || v.Revision == 0
}

// place says all of a node of a ring.
func (m *Mesh) place(a *cluster.Active, v *cluster.View, r *ring.Ring, i ring.Index) Place {
	n := r.Node(i)
	if n == nil {
		return Place{}
	}
	p := Place{Node: n.ID, URL: n.Addr, Zone: n.Zone, Mine: n.ID == m.o.Self,
		Version: a.Pointer.Stable, Hash: a.Pointer.StableHash, Activation: a.Pointer.Activation}
	if r != a.Routes.Stable() {
		p.Canary, p.Version, p.Hash = true, a.Pointer.Canary, a.Pointer.CanaryHash
	}
	if member, ok := v.Members[n.ID]; ok {
		p.URL, p.API, p.Zone = member.Addr, member.API, member.Zone
		_, held := v.Held[n.ID]
		p.Alive = !held
	}
	// A weight that has expired is no wish to drain: its node may be busy, or cut from etcd.
	if w, ok := v.Weights[n.ID]; ok && w.Value == 0 {
		p.Alive, p.Draining = false, true
	}
	return p
}

// weigh fills in what nodes publish. One that publishes nothing now counts like the mean of the others.
func weigh(weights []float64, v *cluster.View, places []Place) {
	sum, n := 0.0, 0
	for i := range places {
		if w, ok := v.Weights[places[i].Node]; ok {
			weights[i] = w.Value
			sum, n = sum+w.Value, n+1
		}
	}
	mean := 1.0
	if n > 0 {
		mean = sum / float64(n)
	}
	for i := range places {
		if _, ok := v.Weights[places[i].Node]; !ok {
			weights[i] = mean
		}
	}
}

// pick chooses one of weights, each by its part of their sum, by a hash.
func pick(hash uint64, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return 0
	}
	// The hash has chosen the owner already, by its upper bits: mix them.
	x := float64(mix(hash)>>11) / (1 << 53) * sum
	for i, w := range weights {
		if x < w {
			return i
		}
		x -= w
	}
	return len(weights) - 1
}

// mix is the finisher of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
