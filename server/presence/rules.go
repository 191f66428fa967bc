package presence

// The rules on one record. Memory runs them as they are; the scripts of Redis
// (script.go) say the same in Lua, and TestScriptsFollowRules compares the two.

// First fences of devices that the store does not know: the seconds since fenceEpoch, Unix time, and firstMost at most, by
// whatever clock, which leaves half of all to come.
const (
	fenceEpoch = 1_700_000_000
	firstMost  = MaxFence / 2
)

// claim makes o the owner, whoever was before. floor is the highest fence that
// the caller knows of the device: a store that has lost what it knew must not
// give a number that is out already. Other nodes may know a higher one, and would take the new session for
// one that is over: so the first fence of a record is of the time, and above all before as long as a device
// connects less than once a second.
func (r *Record) claim(o Owner, sid uint64, now int64, floor uint32) Claim {
	known := int64(r.Fence)
	if r.Hold == Nobody {
		known = min(max(now/1000-fenceEpoch, 0), firstMost)
	}
	c := Claim{Previous: *r, Fence: max(uint32(known), floor) + 1}
	*r = Record{Hold: Held, Owner: o, Fence: c.Fence, SID: sid, Since: now, Connected: now, Inbound: now}
	return c
}

// release ends a session of o, if it is the current one.
func (r *Record) release(o Owner, x *Release) Released {
	current := r.Fence == x.Fence || x.Provisional && r.Connected <= x.Connected
	switch {
	case r.Owner != o || !current || r.Hold == Nobody:
		return Released{Outcome: Refused}
	case r.Hold == Left && r.Since == x.At:
		return Released{Outcome: Applied, WasHeld: true} // said again: the answer was lost
	case r.Hold == Left:
		return Released{Outcome: Refused}
	}
	out := Released{Outcome: Applied, WasHeld: r.Hold == Held}
	r.Hold, r.Since, r.Reason = Left, x.At, x.Reason
	return out
}

// refresh notes that a session of o goes on.
func (r *Record) refresh(o Owner, x *Refresh) Refreshed {
	switch {
	case r.Hold == Nobody, r.Fence < x.Fence, r.Fence == x.Fence && r.Owner != o:
		return Refreshed{Outcome: Absent} // something was lost: an assertion finds out
	case r.Fence == x.Fence && r.Hold == Held:
		r.Inbound = max(r.Inbound, x.Inbound)
		return Refreshed{Outcome: Applied}
	case r.Fence == x.Fence && r.Hold == Lost:
		return Refreshed{Outcome: Absent}
	}
	return Refreshed{Outcome: Refused, Current: *r}
}

// sweep gives up a device of a node that is dead.
func (r *Record) sweep(dead Owner, now int64) Swept {
	switch {
	case r.Hold == Nobody:
		return SweepStale
	case r.Owner != dead:
		return SweepBack
	case r.Hold == Held:
		r.Hold, r.Since, r.Reason = Lost, now, NodeLost
		return SweepLost
	case r.Hold == Lost:
		return SweepBefore
	}
	return SweepStale
}
