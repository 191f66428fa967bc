package presence

// Who has a device when nodes had to answer by themselves.
//
// While the store is down a node that is asked to serve a device serves it, with
// a provisional fence. Two nodes may do so for the same device, and a third may
// have had it before. When the store is back each asserts what it has, in any
// order, and the store decides, assertion by assertion:
//
//	stored                          asserted                        who has it
//	nothing                         anything                        the asserting node
//	the same session                its real fence                  it still has it (with a new fence if it was Lost),
//	                                                                unless it said itself that it is over
//	a higher fence                  a real fence                    the stored one: it claimed later
//	a lower fence, or another's     a real fence (writes were lost) who connected later
//	anything                        a provisional fence             who connected later
//
// Later is by the nodes' clocks. Of two that connected in the same millisecond the
// one stored first stays. Clocks that differ by d can decide wrongly between two
// connects of a device less than d apart: the device's current connection is
// closed then with 4002 (4303 if its sid is another), and it connects again.
//
// The session that wins gets a fence above all that were stored, so whoever had
// the device before is refused at its next refresh and closes its connection.

// assert decides about one assertion of o.
func (r *Record) assert(o Owner, a *Assertion) Asserted {
	out := Asserted{Outcome: Refused, Previous: *r}
	fence, ok := a.Fence, false
	switch {
	case r.Hold == Nobody:
		ok = true
	case !a.Provisional && r.Fence == a.Fence && r.Owner == o:
		ok = r.Hold != Left
		if r.Hold == Lost {
			fence++ // others were told that it is offline: what is later has a higher fence
		}
	case !a.Provisional && r.Fence > a.Fence:
	default:
		// A claim whose answer was lost left the same owner and time behind.
		ok = a.Connected > r.Connected || a.Connected == r.Connected && r.Hold == Held && r.Owner == o
		fence = max(fence, r.Fence+1)
	}
	if ok {
		out.Outcome, out.Fence = Applied, fence
		*r = Record{Hold: Held, Owner: o, Fence: fence, SID: a.SID, Since: a.Connected, Connected: a.Connected, Inbound: a.Inbound}
	}
	return out
}
