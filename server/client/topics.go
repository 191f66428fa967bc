package client

import (
	"maps"
	"slices"

	"roost/server/wire"
)

// mostTopics bounds what a client remembers. A node takes 64 subscriptions;
// there may be requests to end others beside them.
const mostTopics = 256

// topics is what the application wants of each topic. It is said again after
// each welcome, so a request that was lost with its connection is none.
type topics map[string]*topic

type topic struct {
	want    bool // subscribed
	held    bool // the node has said yes to a subscription once
	request uint64
	waiting []chan error
}

// ask takes an application's request; ok is false if there is no room for it.
func (t topics) ask(r request) (ok bool) {
	e := t[r.topic]
	if e == nil {
		if len(t) == mostTopics {
			return false
		}
		e = new(topic)
		t[r.topic] = e
	}
	if e.want != r.want { // who waits for the opposite waits in vain
		e.answer(ErrChanged)
	}
	e.want = r.want
	e.waiting = append(e.waiting, r.reply)
	return true
}

// names returns all topics, in order.
func (t topics) names() []string { return slices.Sorted(maps.Keys(t)) }

// append appends the request that says what is wanted of a topic.
func (t topics) append(dst []byte, f wire.Format, name string, number uint64) []byte {
	e := t[name]
	e.request = number
	up := wire.Up{Op: wire.OpUnsubscribe, Request: number, Channel: []byte(name)}
	if e.want {
		up.Op = wire.OpSubscribe
	}
	return wire.AppendUp(dst, f, &up)
}

// result takes the node's answer; err is nil if it was done. Answers to
// requests that were repeated since are nobody's.
func (t topics) result(number uint64, err error) {
	for name, e := range t {
		if e.request != number {
			continue
		}
		e.request = 0
		switch {
		case err == nil:
			e.held = e.want
		case e.held:
			e.want = true // it could not be ended, or repeated: it lasts
		}
		if !e.held {
			delete(t, name)
		}
		e.answer(err)
		return
	}
}

// end tells all that wait that no answer comes any more.
func (t topics) end() {
	for _, e := range t {
		e.answer(ErrClosed)
	}
}

func (e *topic) answer(err error) {
	for _, reply := range e.waiting {
		reply <- err
	}
	e.waiting = nil
}
