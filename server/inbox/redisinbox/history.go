package redisinbox

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// history is how far a device's stream is known here, and by what Redis can tell whether it still has it.
//
// A failover that loses messages gives their numbers to others. Were the newest message that is heard of taken for what the
// node has seen, the loss would be hidden as soon as there is one more than were lost: the device has the old number 2, and
// of the new 2 and 3 the node would ask for 3 only. So what is heard counts by itself only where it says that the
// message before it is the one that is known; anything else is a question to Redis, with what was known before.
type history struct {
	last   uint64  // that is stored, as far as is known
	sure   place   // up to here it is one history: Redis has said so, or each message that it is behind the one before
	checks []place // have to be in it as well, and Redis has not been asked yet; replaced, never changed
}

// mostChecks bounds checks. There are some while news overtake each other; of more than two nobody has seen a need.
const mostChecks = 4

// place is a message in a stream. Where another message has the number, it is another history.
type place struct {
	seq uint64
	tag uint32 // 0: not known
}

// behind reports whether a message comes next after p; before is the tag of the one before it, 0 if that is not known.
func (m place) behind(p place, before uint32) bool {
	return m.seq == p.seq+1 && m.tag != 0 && (p.seq == 0 || before != 0 && before == p.tag)
}

// denies reports whether a message cannot be in one history with p.
func (m place) denies(p place, before uint32) bool {
	return m.seq == p.seq && differ(m.tag, p.tag) || m.seq == p.seq+1 && p.seq > 0 && differ(before, p.tag)
}

func differ(a, b uint32) bool { return a != 0 && b != 0 && a != b }

// heard takes that a message is stored. What cannot be is left for Redis to say, with nothing changed.
func (h *history) heard(m place, before uint32) note {
	denied := m.denies(h.sure, before) || slices.ContainsFunc(h.checks, func(p place) bool { return m.denies(p, before) })
	switch {
	case m.seq == 0 || denied:
		return doubt
	case m.seq == h.sure.seq:
		return nothing
	case m.seq < h.sure.seq:
		return doubt // nearly always news that overtook each other
	}
	h.last = max(h.last, m.seq)
	if m.behind(h.sure, before) {
		h.sure = m
		h.settle(m)
		return moved
	}
	for _, p := range h.checks {
		if m.behind(p, before) {
			h.settle(p)
			break
		}
	}
	h.check(m)
	return ahead
}

// check has Redis asked for a message with the next question. It reports false when there are too many.
func (h *history) check(m place) bool {
	if m.tag == 0 || m.seq == 0 || slices.Contains(h.checks, m) {
		return true // of numbers the last one is asked for
	}
	if len(h.checks) == mostChecks {
		return false
	}
	h.checks = append(h.checks[:len(h.checks):len(h.checks)], m)
	return true
}

// settle takes checks out.
func (h *history) settle(done ...place) {
	if len(h.checks) == 0 {
		return
	}
	left := slices.DeleteFunc(slices.Clone(h.checks), func(p place) bool { return slices.Contains(done, p) })
	if h.checks = left; len(left) == 0 {
		h.checks = nil
	}
}

// asks returns how scripts are given what is known: number and tag, and behind that what else is to be checked.
func (h *history) asks() (seq, tag string) {
	seq, tag = strconv.FormatUint(h.sure.seq, 10), tagText(h.sure.tag)
	if h.last <= h.sure.seq && len(h.checks) == 0 {
		return seq, tag
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 24), h.sure.tag)
	for _, p := range h.checks {
		b = p.appendTo(b)
	}
	if h.last > h.sure.seq {
		b = place{seq: h.last}.appendTo(b)
	}
	return seq, string(b)
}

// appendTo appends the tag, four bytes, and the number, six.
func (m place) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, m.tag)
	return binary.BigEndian.AppendUint32(append(dst, byte(m.seq>>40), byte(m.seq>>32)), uint32(m.seq))
}

// answered takes that Redis has all that it was asked for, and that its last message is at; more reports whether that is more
// than was known. What was heard since it was asked need not be of the same history: it is checked with the next question.
// ok is false where that cannot be: then the answer is of no use.
func (h *history) answered(asked *history, at place) (more, ok bool) {
	h.settle(asked.checks...)
	if h.sure != asked.sure && h.sure != at {
		other := h.sure
		if at.seq < other.seq {
			at, other = other, at
		}
		if !h.check(other) {
			return false, false
		}
	}
	more = at.seq > h.last
	h.sure, h.last = at, max(h.last, at.seq)
	return more, true
}
