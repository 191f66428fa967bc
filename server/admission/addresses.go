package admission

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// addressBurst is how many seconds' worth may come from an address at once: an office or
	// a carrier's network behind one address that was cut has its devices back together.
	addressBurst = 2.0
	// longestWait is how many seconds ahead one that is refused is sent at most.
	longestWait = 60
)

// Addresses are token buckets, one an address: 65,536 of them, 24 bytes each, 1.5 MiB where as
// many addresses come. Where a set is full of addresses that are being limited, the one with the
// most left is forgotten.
type Addresses struct {
	// Static after NewAddresses.
	rate, burst float32
	seed        maphash.Seed

	table   table[bucket]
	refused atomic.Uint64
}

// bucket is what an address has left. Its hash is 0 while nobody has it.
type bucket struct {
	id     uint64
	at     time.Duration // when the rest was so
	tokens float32       // connects that may come
	owed   float32       // connects that were sent to later seconds
}

// NewAddresses returns a table in which an address may connect rate times a second, above 0.
func NewAddresses(rate float64) *Addresses {
	return &Addresses{rate: float32(rate), burst: float32(max(addressBurst*rate, 1)), seed: maphash.MakeSeed()}
}

// Take takes a connect from an address, or says after how many whole seconds, 1 to 60, there
// should be room for it: the refused are told one second after the other. An IPv6 network of 64 bits is one address, and an IPv4 address
// in IPv6 form is that.
func (a *Addresses) Take(now time.Duration, ip netip.Addr) (after int, ok bool) {
	id := a.hash(ip)
	set, mu := a.table.lock(id)
	defer mu.Unlock()
	b := a.find(set, id, now)
	a.flow(b, now)
	if b.tokens >= 1 {
		b.tokens--
		return 0, true
	}
	a.refused.Add(1)
	after = 1 + int(b.owed/a.rate)
	if after >= longestWait {
		return longestWait, false
	}
	b.owed++
	return after, false
}

// Refused returns how many connects were refused.
func (a *Addresses) Refused() uint64 { return a.refused.Load() }

// hash is never 0.
func (a *Addresses) hash(ip netip.Addr) uint64 {
	b := ip.As16()
	if ip.Is6() && !ip.Is4In6() {
		clear(b[8:])
	}
	return maphash.Bytes(a.seed, b[:]) | 1<<63
}

// flow lets time go by.
func (a *Addresses) flow(b *bucket, now time.Duration) {
	if now <= b.at {
		return // another goroutine was earlier with a later time
	}
	in := a.rate * float32((now - b.at).Seconds())
	b.tokens, b.owed, b.at = min(b.tokens+in, a.burst), max(b.owed-in, 0), now
}

// find returns the bucket of an address: its own, a free one, or that of the address which has the
// most left and so loses the least.
func (a *Addresses) find(set []bucket, id uint64, now time.Duration) *bucket {
	best := &set[0]
	for i := range set {
		b := &set[i]
		if b.id == id {
			return b
		}
		if b.id != 0 {
			a.flow(b, now)
		}
		if best.id != 0 && (b.id == 0 || b.tokens-b.owed > best.tokens-best.owed) {
			best = b
		}
	}
	*best = bucket{id: id, at: now, tokens: a.burst}
	return best
}
