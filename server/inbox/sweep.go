package inbox

// sweepSlice is how many devices are looked at before others get at the index;
// sweepTicks is within how many ticks all are seen.
const (
	sweepSlice = 2048
	sweepTicks = 30
)

// sweep expires messages of devices that nobody asks for, a part of all devices
// at a time.
func (x *index) sweep() {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.seconds()
	x.keys.turn(now)
	for i := 0; i < len(x.topics.byID); i++ {
		if it := x.topics.byID[i]; it != nil && it.latest != nil && it.expires <= now {
			x.setLatest(it, nil, 0, 0)
		}
		if i%sweepSlice == sweepSlice-1 {
			x.pause()
		}
	}
	x.sweepSome(now, max(x.ids.End()/sweepTicks, sweepSlice))
}

// sweepSome looks at the next so many devices, at most to the end of them.
func (x *index) sweepSome(now uint32, most uint32) {
	work := 0
	for range most {
		if x.swept++; x.swept > x.ids.End() {
			x.swept = 0
			return
		}
		d := x.get(Ref(x.swept))
		if work++; d != nil && d.box != 0 {
			if b := x.boxes.at(d.box); b.expires <= now {
				work += int(b.n)
			}
			x.expire(d, now)
		}
		if work >= sweepSlice {
			work = 0
			x.pause()
		}
	}
}
