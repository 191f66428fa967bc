package server

import (
	"fmt"
	"slices"

	"roost/poller"
	"roost/server/inbox"
	"roost/server/wire"
)

// topics are the channels that connections of one loop are subscribed to. A
// topic exists while it has subscribers; a connection without subscriptions
// costs nothing here.
type topics struct {
	byName map[string]*topic
	owing  map[uint32][]string // latest values that did not fit, by connState.subs
	lists  [][]subscription    // by connState.subs - 1
	free   []uint32
}

// topic is one channel's subscribers on this loop.
type topic struct {
	name  string
	group poller.Group
	heard bool     // what other nodes send to it arrives here
	until []func() // called when it is; answers to subscriptions
}

// subscription is one connection's place in one topic.
type subscription struct {
	t   *topic
	pos uint32 // in t.group
}

func newTopics() topics { return topics{byName: map[string]*topic{}, owing: map[uint32][]string{}} }

// owe notes that the connection has not got the latest value of a channel that it
// is in.
func (ts *topics) owe(st *connState, name []byte) {
	if st.subs != 0 && !slices.Contains(ts.owing[st.subs], string(name)) {
		ts.owing[st.subs] = append(ts.owing[st.subs], string(name))
	}
}

// owed returns what was noted for the connection, and forgets it.
func (ts *topics) owed(st *connState) []string {
	if st.subs == 0 || len(ts.owing) == 0 {
		return nil
	}
	names := ts.owing[st.subs]
	delete(ts.owing, st.subs)
	return names
}

// errSubscriptions refuses one topic too many.
var errSubscriptions = &wire.Error{Code: wire.CodeLimit,
	Text: fmt.Sprintf("a device may be subscribed to %d channels", inbox.MaxSubscriptions)}

// has reports whether the connection is in a channel.
func (ts *topics) has(st *connState, name []byte) bool {
	for _, s := range ts.list(st) {
		if s.t.name == string(name) {
			return true
		}
	}
	return false
}

// subscribe adds the connection to a channel; doing it again changes nothing.
func (ts *topics) subscribe(h *handler, c poller.Conn, st *connState, name []byte) *wire.Error {
	if ts.has(st, name) {
		return nil
	}
	list := ts.list(st)
	if len(list) >= inbox.MaxSubscriptions {
		return errSubscriptions
	}
	t := ts.byName[string(name)]
	if t == nil {
		t = &topic{name: string(name)}
		ts.byName[t.name] = t
		h.hear(t)
	}
	ts.setList(st, append(list, subscription{t: t, pos: t.group.Add(c)}))
	h.s.subscriptions.Add(1)
	return nil
}

// unsubscribe takes the connection out of a channel; one that it is not in is
// no error.
func (ts *topics) unsubscribe(h *handler, st *connState, name []byte) {
	list := ts.list(st)
	for i, s := range list {
		if s.t.name == string(name) {
			ts.remove(h, s)
			list[i] = list[len(list)-1]
			list[len(list)-1] = subscription{}
			ts.setList(st, list[:len(list)-1])
			break
		}
	}
}

// unsubscribeAll takes the connection out of all its channels.
func (ts *topics) unsubscribeAll(h *handler, st *connState) {
	list := ts.list(st)
	for _, s := range list {
		ts.remove(h, s)
	}
	clear(list)
	ts.setList(st, list[:0])
}

// remove takes a subscription out of its topic, and the topic away when it was
// the last.
func (ts *topics) remove(h *handler, s subscription) {
	s.t.group.Remove(s.pos, func(slot, pos uint32) {
		moved := ts.list(h.conns.At(slot))
		for i := range moved {
			if moved[i].t == s.t {
				moved[i].pos = pos
			}
		}
	})
	h.s.subscriptions.Add(-1)
	if s.t.group.Len() == 0 {
		delete(ts.byName, s.t.name)
		h.unhear(s.t)
	}
}

// list returns the connection's subscriptions.
func (ts *topics) list(st *connState) []subscription {
	if st.subs == 0 {
		return nil
	}
	return ts.lists[st.subs-1]
}

// setList replaces the connection's subscriptions, taking or giving back the
// place of its list.
func (ts *topics) setList(st *connState, list []subscription) {
	switch {
	case len(list) == 0 && st.subs != 0:
		delete(ts.owing, st.subs)
		ts.lists[st.subs-1] = list
		ts.free = append(ts.free, st.subs-1)
		st.subs = 0
	case len(list) == 0:
	case st.subs != 0:
		ts.lists[st.subs-1] = list
	case len(ts.free) > 0:
		i := ts.free[len(ts.free)-1]
		ts.free = ts.free[:len(ts.free)-1]
		ts.lists[i] = append(ts.lists[i][:0], list...)
		st.subs = i + 1
	default:
		ts.lists = append(ts.lists, list)
		st.subs = uint32(len(ts.lists))
	}
}
