package server

import (
	"sync"
	"sync/atomic"
	"time"
)

// A node takes so many connects a second as it has measured that it can (its budget, by which
// the others of a cluster pace who they send). Who is too much for that is refused with 503 before anything is asked
// of anybody, and told in which second there is room: the refused come back one second after the
// other and not together. Devices that lose one node keep within the budget by themselves (spread);
// the gate is there for when more goes at once than the nodes that are left were told.
//
// It stands behind the parser, and not before as a bare accept limit would: health checks and
// questions for a route share the listener, and what is dear in a connect (Redis, the welcome) comes behind. There is no slower start of a new node: one that has just begun took
// 3,500 a second (bench/results/chaos-2026-11-27-b, both-survivors), and those who wait for it are
// many.

const (
	// gateBurst is the part of a second's connects that may come at one instant: a loop that has stood still for
	// 0.3 s finds 0.3 s of them in its backlog, and they are not too many. So the worst second has one and a
	// half times the budget, which is what half of the processors can do.
	gateBurst = 0.5
	// gateSlots is how many seconds ahead one that is refused is sent at most: 120,000 devices at 2,000 a second in
	// half of it. Where all are full the last one is named again.
	gateSlots = 120
	// gateDebt is how many seconds' worth may come that others have sent here in slots of their own: those
	// have a connection still, and refusing them would leave them where they should not be.
	gateDebt = 1.0
	// gatePromises is how many devices the gate remembers that it has told a second: 512 KiB, from the first refusal
	// on. Where two lie in one place, the earlier one is as if it had never been here.
	gatePromises = 1 << 15
	// gateGrace is how many seconds after its own a device still comes in it: a client adds up to a second, and
	// needs some time to connect.
	gateGrace = 2
	// stormShare is the part of the budget from which on connects are a storm: who belongs elsewhere is
	// told to go when it is over.
	stormShare = 0.5
)

// gate decides who may connect now. Times are since any instant, the same for all calls. The zero gate works.
type gate struct {
	mu     sync.Mutex // covers the following
	at     time.Duration
	filled bool
	free   float64           // connects that may come now; below 0: planned ones have come too early
	second int64             // that slots begin behind
	slots  [gateSlots]uint32 // given out, by second modulo gateSlots
	passed [2]uint32         // in the second of at, and in the one before
	told   []promise         // by device modulo gatePromises; nil before the first refusal

	putOff atomic.Uint64 // refused with a slot
}

// promise is the second that a device was told.
type promise struct {
	device uint64
	second int64
}

// admit takes a connect of a device (a hash of its id, not 0), at a budget of rate a second, or says after how many whole seconds there is
// room for it. planned is one that another node has sent here.
//
// Who comes before the second that it was told is told the same again, and takes no place of others: of two who wait, one that
// tries ten times a second would else send the other minutes away. Who comes in it is let in like one that is planned.
func (g *gate) admit(now time.Duration, rate float64, planned bool, device uint64) (after int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forward(now, rate)
	var p *promise
	second, due := int64(now/time.Second), int64(0)
	if g.told != nil {
		if p = &g.told[device%gatePromises]; p.device == device {
			due = p.second
		}
	}
	if kept := due != 0 && second >= due && second <= due+gateGrace; g.free >= 1 || (planned || kept) && g.free > -gateDebt*rate {
		g.free--
		g.passed[0]++
		if due != 0 {
			*p = promise{}
		}
		return 0, true
	}
	g.putOff.Add(1)
	if second < due {
		return int(min(due-second, gateSlots-1)), false // a loop's time may be a little behind another's
	}
	after = g.slot(now, rate)
	if p == nil {
		g.told = make([]promise, gatePromises)
		p = &g.told[device%gatePromises]
	}
	*p = promise{device, second + int64(after)}
	return after, false
}

// note takes note of a connect where nobody is refused: for storm.
func (g *gate) note(now time.Duration, rate float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forward(now, rate)
	g.passed[0]++
}

// forward lets time go by.
func (g *gate) forward(now time.Duration, rate float64) {
	most := max(gateBurst*rate, 1)
	if !g.filled {
		g.filled, g.free, g.at, g.second = true, most, now, int64(now/time.Second)
	}
	if now <= g.at {
		return // another loop was earlier with a later time
	}
	g.free = min(most, g.free+rate*(now-g.at).Seconds())
	switch second := int64(now / time.Second); second - int64(g.at/time.Second) {
	case 0:
	case 1:
		g.passed = [2]uint32{0, g.passed[0]}
	default:
		g.passed = [2]uint32{}
	}
	g.at = now
	for second := int64(now / time.Second); g.second < second; g.second++ {
		if second-g.second > gateSlots {
			g.slots, g.second = [gateSlots]uint32{}, second
			return
		}
		g.slots[g.second%gateSlots] = 0
	}
}

// slot gives out the next free place: behind how many whole seconds it is.
func (g *gate) slot(now time.Duration, rate float64) int {
	room := uint32(max(rate, 1))
	for after := int64(1); after < gateSlots; after++ {
		if n := &g.slots[(g.second+after)%gateSlots]; *n < room {
			*n++
			return int(after)
		}
	}
	return gateSlots - 1
}

// storm reports whether so many connect that those who should be elsewhere had better wait.
func (g *gate) storm(now time.Duration, rate float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forward(now, rate)
	return float64(max(g.passed[0], g.passed[1])) > stormShare*rate
}
