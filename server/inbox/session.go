package inbox

// open begins a session of a device: who it is, where its stream stands, and
// what the device knows of that.
func (x *index) open(id []byte, r Resume) (o Opened, err error) {
	ref, d := x.find(id)
	known := d != nil
	if !known {
		if ref, d, err = x.add(id); err != nil {
			return o, err
		}
		x.fresh = append(x.fresh, ref)
	}
	last := x.committed(d)
	// A device that the disk has lost, or that comes for the first time since the
	// store was opened, may know more than the disk did: its numbers were given to
	// other messages since.
	held := last
	if d.fence&awayBit != 0 {
		held = d.last() - uint64(d.fence&^awayBit)
		d.fence = 0
	}
	d.fence++
	switch {
	case !known:
		if r.Given && x.epoch(d).Is(r.Epoch) {
			x.era++
			d.era = x.era
		}
	case !r.Given:
		o.Resumed = true
	case !x.epoch(d).Is(r.Epoch):
	case r.Seq > min(last, held):
		// The device has what we have lost: from here on the numbers mean
		// something else.
		x.era++
		d.era = x.era
		d.segment |= eraBit
		x.fresh = append(x.fresh, ref)
	case r.Seq < d.acked:
		o.From = d.acked + 1
	default:
		o.Resumed = true
		x.ack(ref, d, r.Seq)
	}
	o.Ref, o.Fence, o.Epoch, o.Last, o.Acked = ref, d.fence, x.epoch(d), last, d.acked
	return o, nil
}

func (x *index) epoch(d *device) Epoch { return Epoch{store: x.storeID, era: d.era} }
