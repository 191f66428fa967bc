package presence

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// sweepKeep is how long the count of a sweep is kept that nobody ends, ms.
const sweepKeep = "86400000"

// Beat implements Store: the time is Redis' own, so that the clocks of nodes do not
// count.
func (r *Redis) Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (bool, error) {
	_, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Set().Key(aliveKey(o)).Value("1").PxMilliseconds(ttl.Milliseconds()).Build()
	})
	if err != nil {
		return false, err
	}
	res, err := r.do(ctx, scriptBeat, []string{nodesKey, deathsKey}, o.String(), bit(revive))
	if err != nil {
		return false, err
	}
	was, err := text(res)
	if err != nil || was != "1" {
		return false, err
	}
	_, err = r.one(ctx, func(l *link) rueidis.Completed { return l.client.B().Del().Key(deadKey(o)).Build() })
	return true, err
}

// Nodes implements Store.
func (r *Redis) Nodes(ctx context.Context) (Nodes, error) {
	res, err := r.do(ctx, scriptNodes, []string{nodesKey, deathsKey})
	if err != nil {
		return Nodes{}, err
	}
	parts, err := res.ToArray()
	if err != nil {
		return Nodes{}, failure(err)
	}
	lists := make([][]string, 0, 2)
	for i := range parts {
		list, err := parts[i].ToArray()
		if err != nil {
			return Nodes{}, fmt.Errorf("%w: %w", ErrDecode, err)
		}
		s, err := messageTexts(list)
		if err != nil {
			return Nodes{}, err
		}
		lists = append(lists, s)
	}
	return decodeNodes(lists)
}

// decodeNodes reads {now, node, beat, ...} and {node, death, ...}. Names that are no
// nodes are left out: somebody else wrote them, and they must not hide the others.
func decodeNodes(lists [][]string) (Nodes, error) {
	if len(lists) != 2 || len(lists[0])%2 != 1 || len(lists[1])%2 != 0 {
		return Nodes{}, fmt.Errorf("%w: the list of nodes", ErrDecode)
	}
	now, err := strconv.ParseInt(lists[0][0], 10, 64)
	if err != nil {
		return Nodes{}, fmt.Errorf("%w: the time is %q", ErrDecode, clip(lists[0][0]))
	}
	return Nodes{Now: now, Beats: decodeTimes(lists[0][1:]), Deaths: decodeTimes(lists[1])}, nil
}

func decodeTimes(pairs []string) map[Owner]int64 {
	out := make(map[Owner]int64, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o, err := ParseOwner(pairs[i])
		if err != nil {
			continue
		}
		at, err := strconv.ParseFloat(pairs[i+1], 64) // scores may come as 1.7958e+12
		if err != nil || at < 0 || at > 1<<53 {
			continue
		}
		out[o] = int64(at)
	}
	return out
}

// Dead implements Store.
func (r *Redis) Dead(ctx context.Context, o Owner, at int64) (bool, error) {
	res, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Hsetnx().Key(deathsKey).Field(o.String()).Value(millis(at)).Build()
	})
	if err != nil {
		return false, err
	}
	n, err := res.AsInt64()
	return n == 1, failure(err)
}

// Revive implements Store.
func (r *Redis) Revive(ctx context.Context, o Owner) (bool, error) {
	if _, err := r.one(ctx, func(l *link) rueidis.Completed { return l.client.B().Del().Key(deadKey(o)).Build() }); err != nil {
		return false, err
	}
	res, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Hdel().Key(deathsKey).Field(o.String()).Build()
	})
	if err != nil {
		return false, err
	}
	n, err := res.AsInt64()
	return n == 1, failure(err)
}

// SweepTake implements Store.
func (r *Redis) SweepTake(ctx context.Context, dead Owner, by string, ttl time.Duration) (bool, error) {
	res, err := r.do(ctx, scriptTake, []string{deadKey(dead), aliveKey(dead)}, by, strconv.FormatInt(ttl.Milliseconds(), 10), sweepKeep)
	if err != nil {
		return false, err
	}
	got, err := text(res)
	return got == "1", err
}

// Sweep implements Store: a page is a round trip to pick devices, one for all of
// their records, and one to count them.
func (r *Redis) Sweep(ctx context.Context, dead Owner, now int64, limit int) ([]SweptDevice, error) {
	res, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Srandmember().Key(IndexKey(dead)).Count(int64(max(limit, 1))).Build()
	})
	if err != nil {
		return nil, err
	}
	devices, err := texts(res)
	if err != nil || len(devices) == 0 {
		return nil, err
	}
	out := make([]SweptDevice, len(devices))
	args := []string{dead.String(), millis(now), strconv.Itoa(int(NodeLost)), r.keep}
	err = r.each(ctx, scriptSweep, len(devices), func(i int) string { return devices[i] }, func(int) []string { return args },
		func(i int, res rueidis.RedisResult) (err error) {
			reply, err := texts(res)
			if err != nil {
				return err
			}
			out[i], err = decodeSwept(devices[i], reply)
			return err
		})
	counted := make([]string, 0, 2*len(out))
	for i := range out {
		if out[i].Found != SweepFailed {
			counted = append(counted, strconv.Itoa(int(out[i].Found)), devices[i])
		}
	}
	if len(counted) == 0 {
		return nil, err
	}
	res, e := r.do(ctx, scriptTally, []string{IndexKey(dead), deadKey(dead), aliveKey(dead)}, counted...)
	if e != nil {
		return nil, worse(err, e) // who sweeps next finds these as SweepBefore
	}
	if did, e := text(res); e != nil || did != "1" {
		return nil, worse(err, e) // it lives: what was marked it asserts again
	}
	return out, err
}

// decodeSwept reads the reply of a sweep.
func decodeSwept(device string, reply []string) (SweptDevice, error) {
	d := SweptDevice{Device: device}
	if len(reply) != 2 || len(reply[0]) != 1 {
		return d, fmt.Errorf("%w: a sweep's reply has %d parts", ErrDecode, len(reply))
	}
	found := Swept(reply[0][0] - '0')
	fence, err := strconv.ParseUint(reply[1], 10, 32)
	if err != nil || found < SweepLost || found > SweepStale {
		return d, fmt.Errorf("%w: a sweep's reply is %q, %q", ErrDecode, clip(reply[0]), clip(reply[1]))
	}
	d.Found, d.Fence = found, uint32(fence)
	return d, nil
}

// SweepEnd implements Store.
func (r *Redis) SweepEnd(ctx context.Context, dead Owner) (Tally, bool, error) {
	res, err := r.do(ctx, scriptEnd, []string{IndexKey(dead), deadKey(dead), aliveKey(dead)})
	if err != nil {
		return Tally{}, false, err
	}
	reply, err := texts(res)
	if err != nil {
		return Tally{}, false, err
	}
	if len(reply) == 1 {
		return Tally{}, false, nil
	}
	// Somebody may have ended it and died before this: so it is done again and again.
	got, err := r.commands(ctx, func(l *link) rueidis.Commands {
		return rueidis.Commands{
			l.client.B().Zrem().Key(nodesKey).Member(dead.String()).Build(),
			l.client.B().Hdel().Key(deathsKey).Field(dead.String()).Build(),
		}
	})
	for i := range got {
		err = worse(err, failure(got[i].Error()))
	}
	if len(reply) != 3 {
		return Tally{}, false, err
	}
	var n [3]int
	for i := range n {
		if n[i], err = strconv.Atoi(reply[i]); err != nil {
			return Tally{}, false, fmt.Errorf("%w: the tally of %v: %w", ErrDecode, dead, err)
		}
	}
	return Tally{Back: n[0], Lost: n[1], Stale: n[2]}, true, nil
}
