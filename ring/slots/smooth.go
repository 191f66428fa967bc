package slots

// wish is what a Governor remembers of what a node wants.
type wish struct {
	share float64 // smoothed; 0 once 0 is believed
	zeros int     // checks in a row with no share, while share is not 0
}

// smooth returns hs with smoothed shares for weights, and a node with slots whose
// weight of 0 may be a mistake; "" if there is none.
//
//	share += Alpha (weight / sum of weights - share)
//
// A new node's share is taken as it is, and so is that of one that had none. A weight
// of 0 holds at once, so that nothing moves to the node; but until it has come Checks
// times in a row, its share is remembered, and those of the others go on as if it
// were still there: when it comes back, all is as before.
func (g *Governor) smooth(hs []Holding) (out []Holding, doubted string) {
	weights := sumWeights(hs)
	share := func(h Holding) float64 {
		if s := h.Weight / weights; s >= noShare {
			return s
		}
		return 0
	}
	doubt := func(h Holding) bool {
		old := g.wishes[h.Node]
		return share(h) == 0 && old.share > 0 && old.zeros+1 < g.s.Checks
	}
	live, absent := 0.0, 0.0
	for _, h := range hs {
		switch {
		case doubt(h):
			absent += g.wishes[h.Node].share
		case share(h) > 0:
			live += g.wishes[h.Node].share
		}
	}
	next := make(map[string]wish, len(hs))
	out = make([]Holding, len(hs))
	for i, h := range hs {
		old, now := g.wishes[h.Node], wish{share: share(h)}
		out[i] = h
		switch {
		case doubt(h):
			now = wish{old.share, old.zeros + 1}
			out[i].Weight = 0
			if h.Slots > 0 && doubted == "" {
				doubted = h.Node
			}
		case now.share > 0 && old.share > 0:
			now.share = old.share + g.s.Alpha*(now.share*live/(live+absent)-old.share)
			out[i].Weight = now.share
		default:
			out[i].Weight = now.share
		}
		next[h.Node] = now
	}
	g.wishes = next
	return out, doubted
}
