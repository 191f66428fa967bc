package poller

import "sync/atomic"

// counters are written by one loop and read by anyone.
type counters struct {
	accepted, refused, acceptErrors, dialed, closed atomic.Uint64
	reads, sends, bytesIn, bytesOut                 atomic.Uint64
	overflow, dropped, replaced, slow, stale        atomic.Uint64
	castWritten, castQueued, castDropped            atomic.Uint64
	turns, ringsLost                                atomic.Uint64
	_                                               [64]byte // keep other loops' lines apart
}

// Stats are totals since the start, over all loops.
type Stats struct {
	Conns int // connections now

	Accepted     uint64 // connections taken
	Refused      uint64 // connections past the cap or the descriptors
	AcceptErrors uint64 // failed accepts
	Dialed       uint64 // connections opened by Dial
	Closed       uint64 // connections over

	Reads, Sends      uint64 // system calls (a cast by io_uring counts its sends)
	BytesIn, BytesOut uint64

	Overflow uint64 // writes refused by a full queue
	Dropped  uint64 // droppable messages pushed out of a full queue
	Replaced uint64 // droppable messages replaced by a newer one of their key
	Slow     uint64 // connections closed by the write deadline
	Stale    uint64 // events of connections already gone

	CastWritten uint64 // cast frames that the kernel took whole
	CastQueued  uint64 // cast frames that wait for a socket
	CastDropped uint64 // cast frames refused by a full queue or a closed connection

	Turns     uint64 // times that a loop woke up
	RingsLost uint64 // loops whose io_uring failed and that cast by sendto since
}

// Stats reads the counters. It may be called from any goroutine.
func (p *Poller) Stats() Stats {
	t := Stats{Conns: int(p.conns.Load())}
	for _, l := range p.loops {
		n := &l.n
		t.Accepted += n.accepted.Load()
		t.Refused += n.refused.Load()
		t.AcceptErrors += n.acceptErrors.Load()
		t.Dialed += n.dialed.Load()
		t.Closed += n.closed.Load()
		t.Reads += n.reads.Load()
		t.Sends += n.sends.Load()
		t.BytesIn += n.bytesIn.Load()
		t.BytesOut += n.bytesOut.Load()
		t.Overflow += n.overflow.Load()
		t.Dropped += n.dropped.Load()
		t.Replaced += n.replaced.Load()
		t.Slow += n.slow.Load()
		t.Stale += n.stale.Load()
		t.CastWritten += n.castWritten.Load()
		t.CastQueued += n.castQueued.Load()
		t.CastDropped += n.castDropped.Load()
		t.Turns += n.turns.Load()
		t.RingsLost += n.ringsLost.Load()
	}
	return t
}
