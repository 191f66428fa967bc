package inbox

// shareMost is how many puts share a body at most: so many are planned while the
// index is locked.
const shareMost = 1024

// sharing returns how many puts of the same message the operations begin with.
func sharing(ops []Op) (n int) {
	var m *Message
	for n < min(len(ops), shareMost) {
		p, ok := ops[n].(*Put)
		if !ok || m != nil && p.Message != m {
			break
		}
		m = p.Message
		n++
	}
	return n
}

// planNext plans the first of the operations, and with it those that share its
// message; it returns how many.
func (x *index) planNext(ops []Op, w writer) int {
	n := sharing(ops)
	if n < 2 {
		ops[0].plan(x, w)
		return 1
	}
	x.planShared(ops[:n], w)
	return n
}

// planShared stages puts of one message. They have one body, in memory and in the
// log: a publisher names up to some thousand devices for a message of 64 KiB. The
// first that is stored settles it for all.
func (x *index) planShared(ops []Op, w writer) {
	m := ops[0].(*Put).Message
	size, now, body := m.contentSize(), x.seconds(), uint32(0)
	var content []byte
	var stored []*Put
	for _, op := range ops {
		p := op.(*Put)
		d := p.accept(x, size, now, body != 0)
		if d == nil {
			continue
		}
		if body == 0 {
			content = w.message(m)
			body = x.newBody(size, now+m.TTL)
			w.keep(body, content)
		}
		p.stage(x, d, body, now)
		stored = append(stored, p)
	}
	if body != 0 {
		stored[0].sharers = len(stored)
		stored[0].record = w.shared(stored, now, content)
	}
}
