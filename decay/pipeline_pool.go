package decay

// pool is the moments of the last steps of one signal, for Settings.Window.
type pool struct {
	ring []moments
	next int
}

const maxWindow = 1024

// add puts m in and returns the moments over all that the window holds, with the
// cut of m. Sums are merged as by Chan, Golub and LeVeque (1979), which loses no
// digits to cancellation.
func (p *pool) add(m moments) moments {
	if len(p.ring) < 2 {
		return m
	}
	p.ring[p.next] = m
	p.next = (p.next + 1) % len(p.ring)
	all := moments{lo: m.lo, hi: m.hi}
	for _, x := range p.ring {
		if x.n == 0 {
			continue
		}
		n := all.n + x.n
		d := x.mean - all.mean
		all.m2 += x.m2 + d*d*float64(all.n)*float64(x.n)/float64(n)
		all.mean += d * float64(x.n) / float64(n)
		all.n = n
	}
	return all
}
