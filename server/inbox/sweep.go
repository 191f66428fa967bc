package inbox

// sweepSlice is how many inboxes a tick looks at, so that it holds the lock for
// well under a millisecond; sweepTicks is within how many ticks all are seen.
const (
	sweepSlice = 2048
	sweepTicks = 30
)

// sweep expires messages of devices that nobody asks for, a part of all devices
// at a time.
func (x *index) sweep() {
	x.mu.Lock()
	now := x.seconds()
	x.keys.turn(now)
	for _, it := range x.topics.byName {
		if it.latest != nil && it.expires <= now {
			x.setLatest(it, nil, 0, 0)
		}
	}
	end := x.ids.End()
	x.mu.Unlock()
	for todo := max(int(end)/sweepTicks, sweepSlice); todo > 0; todo -= sweepSlice {
		if !x.sweepSome(now) {
			return
		}
	}
}

// sweepSome looks at the next devices; it reports false at the end of them.
func (x *index) sweepSome(now uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for range sweepSlice {
		x.swept++
		if x.swept > x.ids.End() {
			x.swept = 0
			return false
		}
		if d := x.get(Ref(x.swept)); d != nil {
			x.expire(d, now)
		}
	}
	return true
}
