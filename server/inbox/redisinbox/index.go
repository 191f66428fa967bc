package redisinbox

import (
	"slices"

	"roost/server/inbox"
)

// Indexes say who is in a topic, and who is known at all, to those who go through all. Each says nothing that the device's own
// keys do not say; a message to many asks the device too, so one that names a device too many costs a question, and one that
// names it not costs it its messages. Where all keys lie on one server, the script that changes a device changes its indexes.
// In a Redis Cluster they lie on others:
//
//	before   who comes into a topic is put into the index
//	change   the device's own keys
//	settle   asked what they say, the index written by that, asked again: until that is the same as before
//
// Who changes something settles afterwards, so of two the one that is last sees what the other has done. What a node has not
// settled, because it died or Redis did not answer, is found for connected devices within ten sweeps (Store.mend).

// indexed is a device whose indexes have to say what is so: that of all, and those of some topics.
type indexed struct {
	device string
	topics []string
}

// settle has indexes say what is so of some devices. The error is that of the last that Redis did not answer.
func (s *Store) settle(list []indexed) (err error) {
	if len(list) == 0 {
		return nil
	}
	if s.redis.cluster() {
		return s.settleApart(list)
	}
	calls := make([]call, len(list))
	for i, v := range list {
		n := s.names(v.device)
		calls[i] = call{script: indexScript, apart: true, keys: []string{n.head(), n.subs(), s.indexKey("", shardOf(v.device))},
			args: append([]string{v.device}, v.topics...)}
		for _, t := range v.topics {
			calls[i].keys = append(calls[i].keys, s.indexKey(t, shardOf(v.device)))
		}
	}
	return lastError(s.redis.do(calls, false))
}

// settleTries is how often settleApart writes what it has seen, if that changes meanwhile.
const settleTries = 3

// settleApart is settle where indexes lie on other servers.
func (s *Store) settleApart(list []indexed) error {
	var ask, write, mark []call
	for _, v := range list {
		n, shard := s.names(v.device), shardOf(v.device)
		ask = append(ask, call{name: "HEXISTS", keys: []string{n.head()}, args: []string{"p"}})
		write = append(write, call{keys: []string{s.indexKey("", shard)}, args: []string{v.device}})
		mark = append(mark, call{script: indexScript, keys: []string{n.head(), n.subs()}, args: []string{v.device}})
		for _, t := range v.topics {
			ask = append(ask, call{name: "SISMEMBER", keys: []string{n.subs()}, args: []string{t}})
			write = append(write, call{keys: []string{s.indexKey(t, shard)}, args: []string{v.device}})
		}
	}
	was := s.redis.do(ask, false)
	for range settleTries {
		if err := lastError(was); err != nil {
			return err
		}
		for i := range write {
			if write[i].name, write[i].args = "ZREM", write[i].args[len(write[i].args)-1:]; was[i].v == int64(1) {
				write[i].name, write[i].args = "ZADD", []string{"0", write[i].args[0]}
			}
		}
		if err := lastError(s.redis.do(write, false)); err != nil {
			return err
		}
		is := s.redis.do(ask, false)
		if slices.EqualFunc(was, is, func(a, b reply) bool { return b.err == nil && a.v == b.v }) {
			break
		}
		was = is
	}
	return lastError(s.redis.do(mark, false))
}

// mend has the indexes name some connected devices, after it was asked what topics they are in.
func (s *Store) mend(refs []inbox.Ref) error {
	if err := s.lookAtTopics(refs); err != nil {
		return err
	}
	list := make([]indexed, 0, len(refs))
	s.mu.Lock()
	for _, ref := range refs {
		if d := s.m.get(ref); d != nil && d.alone == 0 && s.m.current(ref, d.fence) != nil {
			list = append(list, indexed{d.id, d.topics}) // they are replaced, never changed
		}
	}
	s.mu.Unlock()
	return s.settle(list)
}

func lastError(rs []reply) (err error) {
	for _, r := range rs {
		if r.err != nil {
			err = r.err
		}
	}
	return err
}
