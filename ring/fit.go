package ring

// calibrate fits every node, on a ring that nobody else has yet.
func (r *Ring) calibrate() {
	d := &draft{Ring: r, own: make([]bool, len(r.chunks))}
	d.fitAll(r.order)
	r.compact()
}

// fitRounds bounds how often fitAll goes round. Each fit is exact for its node
// and takes from or gives to others, so one round is not enough where several
// are fitted.
const fitRounds = 6

// fitAll fits some nodes in turn until nothing changes.
func (d *draft) fitAll(nodes []Index) {
	for range fitRounds {
		changed := false
		for _, v := range nodes {
			if d.fit(v) {
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

// refit fits the nodes that are more than a part of their target off, until
// there are none, or for fitRounds rounds.
func (d *draft) refit(tolerance float64) {
	for range fitRounds {
		changed := false
		for _, v := range d.order {
			target := d.Target(v)
			if miss := float64(d.slots[v]) - target; max(miss, -miss) > tolerance*target && d.fit(v) {
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

// fit adds or drops points of v, and of nobody else, until its slots are as
// near to its target as points can bring them, and reports whether anything
// changed. A share never shrinks when a point comes, so the best number of points
// is where the share passes the target. One fit at most doubles the points, so
// that chunks keep about their size; nodes that need more get it in the next round.
func (d *draft) fit(v Index) (changed bool) {
	had := d.counts[v]
	least, most := pointRange(nominalPoints(&d.nodes[v], d.perUnit))
	least, most = min(least, had), max(min(most, 2*had+pointsPerChunk), had)
	target := d.Target(v)
	miss := float64(d.slots[v]) - target
	for miss < 0 && d.counts[v] < most && d.points < MaxPoints {
		d.add(v)
		now := float64(d.slots[v]) - target
		if now > -miss {
			d.drop(v)
			break
		}
		miss = now
	}
	for miss > 0 && d.counts[v] > least {
		d.drop(v)
		now := float64(d.slots[v]) - target
		if -now >= miss {
			d.add(v)
			break
		}
		miss = now
	}
	return d.counts[v] != had
}

// pointRange returns the bounds of calibration: half and double of what the
// weight stands for, so that a weight keeps its meaning whatever the others do.
func pointRange(nominal uint32) (least, most uint32) {
	return (nominal + 1) / 2, min(2*nominal, MaxNodePoints)
}

// setPoints gives v so many points.
func (d *draft) setPoints(v Index, want uint32) {
	for d.counts[v] < want {
		d.add(v)
	}
	for d.counts[v] > want {
		d.drop(v)
	}
}
