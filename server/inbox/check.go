package inbox

import "fmt"

// check walks through everything and returns what does not add up.
func (x *index) check() (problems []string) {
	bad := func(format string, args ...any) {
		if len(problems) < 20 {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	refs := map[uint32]uint32{}
	boxes, chunks, subs, live, planned := 0, 0, 0, uint64(0), uint64(0)
	for n := range x.ids.End() {
		d := x.get(Ref(n + 1))
		if d == nil {
			continue
		}
		for i := d.subs; i != 0; i = x.topics.nodes.at(i).next {
			subs++
			v := x.topics.nodes.at(i)
			if it := x.topics.byID[v.topic]; it == nil || it.members[v.pos] != i || v.ref != Ref(n+1) {
				bad("device %q: subscription %d is not in its topic", x.ids.ID(n), i)
			}
		}
		if d.box == 0 {
			continue
		}
		boxes++
		b := x.boxes.at(d.box)
		if b.first <= d.acked || b.first+uint64(b.n) != d.last()+1 {
			bad("device %q: acknowledged %d, inbox from %d with %d, last %d", x.ids.ID(n), d.acked, b.first, b.n, d.last())
		}
		items, bytes := x.checkBox(b, refs, &planned)
		chunks += int((b.off+b.n-1)/perItemChunk) + 1
		live += uint64(items)
		if items != b.live || bytes != b.bytes {
			bad("device %q: inbox counts %d messages and %d bytes, has %d and %d", x.ids.ID(n), b.live, b.bytes, items, bytes)
		}
		if !isBody(x.item(b, 0)) {
			bad("device %q: inbox begins with a hole", x.ids.ID(n))
		}
	}
	for i, n := range refs {
		// A spread under way holds one more.
		if v := x.bodies.at(i); v.refs != n && (v.loc != 0 || v.refs != n+1) {
			bad("body %d has %d references, %d were found", i, v.refs, n)
		}
	}
	if n := x.boxes.len(); n != boxes {
		bad("%d inboxes, %d belong to devices", n, boxes)
	}
	if n := x.chunks.len(); n != chunks {
		bad("%d pieces of lists, %d belong to inboxes", n, chunks)
	}
	if n := x.topics.nodes.len(); n != subs {
		bad("%d subscriptions, %d belong to devices", n, subs)
	}
	if x.pending == 0 && x.bodies.len() != len(refs) {
		bad("%d bodies, %d belong to inboxes", x.bodies.len(), len(refs))
	}
	if live-planned != x.n.InFlight {
		bad("%d messages in flight are counted, %d were found", x.n.InFlight, live-planned)
	}
	if c := x.n; c.Published+c.Recovered != c.Acknowledged+c.Expired+c.Removed+c.Lost+c.InFlight {
		bad("published %d + recovered %d is not acknowledged %d + expired %d + removed %d + lost %d + in flight %d",
			c.Published, c.Recovered, c.Acknowledged, c.Expired, c.Removed, c.Lost, c.InFlight)
	}
	return problems
}

// checkBox adds up the items of an inbox; planned ones are not in flight yet.
func (x *index) checkBox(b *box, refs map[uint32]uint32, planned *uint64) (items, bytes uint32) {
	for i := range b.n {
		item := x.item(b, i)
		if !isBody(item) {
			continue
		}
		refs[item]++
		items++
		bytes += x.bodies.at(item).size
		if x.bodies.at(item).loc == 0 {
			*planned++
		}
	}
	return items, bytes
}
