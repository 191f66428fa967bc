package ring

import "fmt"

// CheckInvariants looks at all of r and says what does not fit together, or
// nil: points in order and where their hashes say, counts and slots adding up,
// every slot with the owner that the points give it. It takes tens of
// milliseconds; tests call it, and so may an operator's page.
func (r *Ring) CheckInvariants() error {
	if err := r.checkPoints(); err != nil {
		return err
	}
	d := r.Definition()
	if err := d.Check(); err != nil {
		return fmt.Errorf("its definition: %w", err)
	}
	again, err := d.Ring()
	if err != nil {
		return err
	}
	slots := make([]uint32, len(r.nodes))
	for s, v := range r.table {
		want := again.table[s]
		if (v == None) != (want == None) || v != None && r.nodes[v].ID != again.nodes[want].ID {
			return fmt.Errorf("slot %d is of %v, by the definition of %v", s, r.Node(v), again.Node(want))
		}
		if v != None {
			slots[v]++
		}
	}
	for i, n := range slots {
		if r.slots[i] != n {
			return fmt.Errorf("node %q is said to own %d slots, owns %d", r.nodes[i].ID, r.slots[i], n)
		}
	}
	return nil
}

func (r *Ring) checkPoints() error {
	counts := make([]uint32, len(r.nodes))
	total := 0
	for at, c := range r.chunks {
		if len(c.hash) != len(c.node) {
			return fmt.Errorf("chunk %d has %d hashes and %d owners", at, len(c.hash), len(c.node))
		}
		for i, h := range c.hash {
			v := c.node[i]
			switch {
			case r.Node(v) == nil:
				return fmt.Errorf("point %x is of no node", h)
			case r.chunkOf(h) != at:
				return fmt.Errorf("point %x is in chunk %d", h, at)
			case i > 0 && (c.hash[i-1] > h || c.hash[i-1] == h && r.nodes[c.node[i-1]].ID > r.nodes[v].ID):
				return fmt.Errorf("point %x of %q is out of order", h, r.nodes[v].ID)
			}
			counts[v]++
			total++
		}
	}
	for i, n := range counts {
		if r.counts[i] != n {
			return fmt.Errorf("node %q is said to have %d points, has %d", r.nodes[i].ID, r.counts[i], n)
		}
	}
	if total != r.points {
		return fmt.Errorf("%d points are counted, %d are there", r.points, total)
	}
	return nil
}
