package subject

import "roost/ring"

// The ways to ask roost's ring, beside Ring.Lookup. All answer the same.

// byBytes is Ring.LookupBytes.
type byBytes struct{ *ring.Ring }

func (r byBytes) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(r.LookupBytes(keys.bytesAt(i)))
	}
	return sum
}

func (r byBytes) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(r.LookupBytes(keys.bytesAfter(i, answer)))
		sum += uint64(answer)
	}
	return sum
}

// byHash is Ring.Owner, for who has the hash.
type byHash struct{ *ring.Ring }

func (r byHash) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(r.Owner(keys.hashAt(i)))
	}
	return sum
}

func (r byHash) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(r.Owner(keys.hashAfter(i, answer)))
		sum += uint64(answer)
	}
	return sum
}

// toName is Ring.Lookup and Ring.Node, for the node's name.
type toName struct{ *ring.Ring }

func (r toName) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(len(r.Node(r.Lookup(keys.At(i))).ID))
	}
	return sum
}

func (r toName) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = len(r.Node(r.Lookup(keys.after(i, answer))).ID)
		sum += uint64(answer)
	}
	return sum
}

// held is Holder.Load and Routes.Lookup for every key. The ring that answers is
// looked at, as a caller must, who has an index in one of two.
type held struct{ *ring.Holder }

func hold(stable, canary *ring.Ring, share int) held {
	h := new(ring.Holder)
	h.Store(ring.NewRoutes(stable, canary, share))
	return held{h}
}

func (h held) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		r, v := h.Load().Lookup(keys.At(i))
		if r == nil {
			return 0
		}
		sum += uint64(v)
	}
	return sum
}

func (h held) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		r, v := h.Load().Lookup(keys.after(i, answer))
		if r == nil {
			return 0
		}
		answer = int(v)
		sum += uint64(v)
	}
	return sum
}

// by16 is Ring.Owner of Hash16, for who has ids as arrays.
type by16 struct{ *ring.Ring }

func (r by16) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(r.Owner(ring.Hash16((*[KeyLen]byte)(keys.bytesAt(i)))))
	}
	return sum
}

func (r by16) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(r.Owner(ring.Hash16((*[KeyLen]byte)(keys.bytesAfter(i, answer)))))
		sum += uint64(answer)
	}
	return sum
}

// held16 is Holder.Load and Routes.Owner of Hash16.
type held16 struct{ held }

func (h held16) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		r, v := h.Load().Owner(ring.Hash16((*[KeyLen]byte)(keys.bytesAt(i))))
		if r == nil {
			return 0
		}
		sum += uint64(v)
	}
	return sum
}

func (h held16) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		r, v := h.Load().Owner(ring.Hash16((*[KeyLen]byte)(keys.bytesAfter(i, answer))))
		if r == nil {
			return 0
		}
		answer = int(v)
		sum += uint64(v)
	}
	return sum
}
