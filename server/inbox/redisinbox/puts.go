package redisinbox

import (
	"errors"
	"strconv"

	"roost/server/inbox"
)

// putMost and putBytes bound one call of the script put: while it runs Redis does nothing else, and nobody hears of
// its first message before the last one is stored. A request of 50 is two calls: with 16 a call it was four, each a round trip.
// In a Redis Cluster each message is a call.
const (
	putMost  = 25
	putBytes = 64 << 10
)

// perCall is how many devices one call is about: in a Redis Cluster they lie on different servers.
func (s *Store) perCall() int {
	if s.redis.cluster() {
		return 1
	}
	return putMost
}

// putOp is a message for one device that is about to be stored.
type putOp struct {
	at      *progress  // of its commit
	op      *inbox.Put // nil: a message to many, and nothing is said of at
	device  string
	id      string
	item    string
	message *inbox.Message // whose notice the script sends
	tag     uint32
}

// putGroup collects what goes into one call.
type putGroup struct {
	list  []putOp
	bytes int
}

// add takes one more in; what is full goes into the pipeline.
func (g *putGroup) add(p *pipeline, v putOp) {
	if len(g.list) >= p.perCall || g.bytes+len(v.item) > putBytes {
		g.flush(p)
	}
	g.list = append(g.list, v)
	g.bytes += len(v.item)
}

// flush puts what is collected into the pipeline. What is planned before it goes before it: the
// acknowledgements of those devices do.
func (g *putGroup) flush(p *pipeline) {
	if len(g.list) == 0 {
		return
	}
	p.main = append(p.main, step{puts: g.list})
	*g = putGroup{}
}

// putsCall is the call of the script put. topic is not empty for a message to its members; then
// nobody is told of it by the script.
func (s *Store) putsCall(topic string, now uint32, list []putOp) call {
	unknown, channels := "0", ""
	if s.opt.Limits.KeepUnknown && topic == "" {
		unknown = "1"
	}
	pr, tell := s.opt.Presence, s.opt.Notify
	if topic != "" || list[0].op == nil || s.redis.cluster() {
		tell = nil
	}
	keys, args := make([]string, 0, 6*len(list)), make([]string, 12, 12+4*len(list))
	copy(args, []string{utoa(now), strconv.Itoa(s.opt.Limits.Messages), strconv.Itoa(s.opt.Limits.Bytes), unknown,
		inbox.RandomEpoch().String(), strconv.Itoa(maxKeys), topic})
	if pr != nil {
		copy(args[7:], []string{pr.Owner, utoa(uint32(pr.Likely.Here)), utoa(uint32(pr.Likely.Elsewhere)), utoa(uint32(pr.Likely.Away))})
	}
	if tell != nil {
		channels = tell.Channels
	}
	args[11] = channels
	var notice []byte
	for i := range list {
		v := &list[i]
		n := s.names(v.device)
		this, older := n.keys(now)
		keys = append(keys, n.list(), n.head(), this, older)
		if topic != "" {
			keys = append(keys, n.subs())
		}
		if pr != nil {
			keys = append(keys, pr.Key(v.device))
		}
		args = append(args, v.item, v.id)
		if tell != nil {
			notice = tell.Append(notice[:0], v.device, v.message, v.tag)
			args = append(args, string(notice))
		}
	}
	return call{script: s.put, keys: keys, args: args, apart: len(list) > 1}
}

// takePuts takes what came of a call.
func (p *pipeline) takePuts(list []putOp, v any) error {
	all, err := parsePuts(v, len(list))
	if err != nil {
		return err
	}
	for i := range all {
		r, o := &all[i], &list[i]
		if r.err != nil {
			if o.at.c.Err == nil {
				o.at.c.Err = r.err
			}
			continue
		}
		p.s.stored(o.op, r, o.tag)
		if r.verdict == inbox.Stored && !r.indexed {
			p.known(o.device)
		}
	}
	return nil
}

// failPuts takes that a call has failed.
func (p *pipeline) failPuts(list []putOp, err error) {
	for _, o := range list {
		if o.at.c.Err == nil {
			o.at.c.Err = err
		}
		if errors.Is(err, errUnclear) {
			p.s.doubt(o.device) // it may be there: whoever is connected here gets it
		}
	}
}
