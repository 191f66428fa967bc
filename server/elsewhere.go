package server

import (
	"math"
	"sync/atomic"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/mesh"
)

// The part of a publish that is for devices at other nodes.
//
//	kept      the store says with each put who has the device: stored.Notice tells it
//	live      liveAway, behind those that are here
//	to many   castAway, spreadAway: one word to all, beside what is done here

// Classes of messages, as other nodes are told.
const (
	classLive   = 1
	classLatest = 2
)

// elsewhereCounts count what publishers here sent to devices at other nodes.
type elsewhereCounts struct {
	notices     atomic.Uint64 // kept messages that other nodes were told of
	lives       atomic.Uint64 // live messages to one device
	livesFailed atomic.Uint64 // of those, nobody answered
	casts       atomic.Uint64 // to many
	castsFailed atomic.Uint64 // of those, the bus did not take it
	castsLost   atomic.Uint64 // of other nodes', not sent here: too much was under way
	waitsFull   atomic.Uint64 // waits of other nodes' publishers that there was no room for
}

// elsewhere reports whether presence says that another node has a device. What is said of
// an earlier start of a node, this one or a member, is not elsewhere: the device is nowhere then.
func (s *Server) elsewhere(owner string) bool {
	if s.cluster == nil || owner == "" {
		return false
	}
	node := mesh.NodeOf(owner)
	if node == s.opt.Node {
		return false
	}
	m, there := s.cluster.opt.Members.View().Members[node]
	return !there || sinceOf(owner[len(node):]) >= m.Start
}

// sinceOf reads :digits, the start of an owner in the words of presence. Anything else is the latest of all.
func sinceOf(text string) (start int64) {
	if len(text) < 2 || len(text) > 19 {
		return math.MaxInt64
	}
	for i := 1; i < len(text); i++ {
		start = 10*start + int64(text[i]-'0')
	}
	return start
}

// putsAway are the puts of a publish whose devices are at other nodes.
type putsAway struct {
	notice  inbox.Notice // scratch
	next    int          // put from which on to look for the next one
	waiting []putAway    // those whose publisher waits, in order
	asked   int          // of waiting, by await
}

// putAway is one for whose acknowledgement its publisher waits.
type putAway struct {
	put    *inbox.Put
	answer chan delivery.Status
}

// others returns what tells other nodes of the puts, nil if there are none.
func (k *stored) others() delivery.Away {
	if k.s.cluster == nil {
		return nil
	}
	return k
}

// Notice implements delivery.Away. Where the publisher waits for the acknowledgement, the
// other node's answer is that; the publish itself goes on.
func (k *stored) Notice(p *inbox.Put, answer func(delivery.Status)) bool {
	if !k.s.elsewhere(p.Owner) {
		return false
	}
	wait := k.waitOf(p)
	if wait <= 0 && p.Told > 0 {
		k.s.away.notices.Add(1)
		answer(putStatus(k.s.cluster.mesh.Told(p.Owner, k.word(p), p.Told-1)))
		return true
	}
	if wait <= 0 {
		k.notify(p, 0, func(st mesh.Status) { answer(putStatus(st)) })
		return true
	}
	a := putAway{p, make(chan delivery.Status, 1)}
	k.away.waiting = append(k.away.waiting, a)
	k.notify(p, wait, func(st mesh.Status) { a.answer <- putStatus(st) })
	answer(delivery.StatusQueued)
	return true
}

// Again implements delivery.Away. Where the publisher waits, waitAway asks the node.
func (k *stored) Again(p *inbox.Put) {
	if k.s.elsewhere(p.Owner) && k.waitOf(p) <= 0 {
		k.notify(p, 0, nil)
	}
}

// inlineMost is the largest payload that goes along with the word of it: a fetch from Redis
// is saved where it is what the device gets next, and its bytes are sent for nothing
// where it is not.
const inlineMost = 8 << 10

// inlined returns a message that goes along with the word of it, nil if it does not.
func inlined(m *inbox.Message) *inbox.Message {
	if len(m.Payload) > inlineMost {
		return nil
	}
	return m
}

// Notices has a store on the same Redis as the bus tell other nodes of what it stores: the Append of redisinbox.Notify, for
// the node self. What the store has told, inbox.Put.Told says.
func Notices(self string) func(dst []byte, device string, m *inbox.Message, tag uint32) []byte {
	return func(dst []byte, device string, m *inbox.Message, tag uint32) []byte {
		n := inbox.Notice{Device: []byte(device), Tag: tag, Message: inlined(m)}
		return mesh.AppendStored(dst, self, &n)
	}
}

// notify tells the node that has the device.
func (k *stored) notify(p *inbox.Put, wait time.Duration, answer func(mesh.Status)) {
	k.s.away.notices.Add(1)
	k.s.cluster.mesh.Notice(p.Owner, k.word(p), wait, answer)
}

// word is what the node of a device is told of a put; it is valid until the next call.
func (k *stored) word(p *inbox.Put) *inbox.Notice {
	n := &k.away.notice
	n.Device, n.Epoch = append(n.Device[:0], p.Device...), p.Epoch.Append(n.Epoch[:0])
	n.Fence, n.Seq, n.Tag, n.Message = p.Fence, p.Seq, p.Tag, nil
	n.Before = p.Before
	if p.Verdict == inbox.Stored && p.Told == 0 {
		n.Message = inlined(p.Message)
	}
	return n
}

// waitOf returns how long the publisher of p waits. It is asked in the order of the puts.
func (k *stored) waitOf(p *inbox.Put) time.Duration {
	if k.waits == nil {
		return 0
	}
	for &k.puts[k.away.next] != p {
		k.away.next++
	}
	return k.waits[k.away.next]
}

// waitAway returns what the answer of another node comes from, nil if none has been asked
// or is to be. It is asked in the order of the puts.
func (k *stored) waitAway(p *inbox.Put, wait time.Duration) chan delivery.Status {
	a := &k.away
	if a.asked < len(a.waiting) && a.waiting[a.asked].put == p {
		a.asked++
		return a.waiting[a.asked-1].answer
	}
	if p.Verdict != inbox.Duplicate || !k.s.elsewhere(p.Owner) {
		return nil
	}
	answer := make(chan delivery.Status, 1)
	k.notify(p, wait, func(st mesh.Status) { answer <- putStatus(st) })
	return answer
}

// putStatus is what became of a kept message at another node: it is stored, whatever that
// says.
func putStatus(st mesh.Status) delivery.Status {
	switch st {
	case mesh.StatusWritten, mesh.StatusQueued, mesh.StatusOffline, mesh.StatusAcknowledged:
		return delivery.Status(st) // the numbers are the same: TestStatusNumbers
	}
	return delivery.StatusQueued
}

// ackedSince reports whether the device has acknowledged a message that nobody could be
// asked about: it was nowhere when it was stored.
func (k *stored) ackedSince(p *inbox.Put) bool {
	if k.s.cluster == nil {
		return false
	}
	info, ok := k.s.store.Lookup([]byte(p.Device))
	return ok && info.Epoch == p.Epoch && info.Acked >= p.Seq
}
