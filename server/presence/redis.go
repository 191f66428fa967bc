package presence

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// Prepare implements Store. Where one server has all keys the claim's script does it.
func (r *Redis) Prepare(ctx context.Context, o Owner, device string) error {
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	l, err := r.connected(ctx)
	if err != nil || !l.cluster {
		return err
	}
	return r.Index(ctx, o, []string{device})
}

// Claim implements Store: one round trip, in a cluster two.
func (r *Redis) Claim(ctx context.Context, o Owner, device string, sid uint64, now int64, floor uint32) (Claim, error) {
	if err := r.Prepare(ctx, o, device); err != nil {
		return Claim{}, err
	}
	keys := []string{Key(device), IndexKey(o)}
	if l := r.link.Load(); l.cluster {
		keys = keys[:1]
	}
	res, err := r.do(ctx, scriptClaim, keys, device, o.String(), SIDText(sid), millis(now), strconv.FormatUint(uint64(floor), 10))
	if err != nil {
		return Claim{}, err
	}
	reply, err := texts(res)
	if err != nil {
		return Claim{}, err
	}
	return DecodeClaim(reply)
}

// each runs a script for every device of a batch and gives each reply to f.
func (r *Redis) each(ctx context.Context, s *script, n int, device func(i int) string, args func(i int) []string, f func(i int, res rueidis.RedisResult) error) error {
	calls := make([]call, n)
	for i := range calls {
		calls[i] = call{s, []string{Key(device(i))}, args(i)}
	}
	got, err := r.run(ctx, calls)
	if err != nil {
		return err
	}
	for i := range got {
		e := failure(got[i].Error())
		if e == nil {
			e = f(i, got[i])
		}
		err = worse(err, e)
	}
	return err
}

// Release implements Store.
func (r *Redis) Release(ctx context.Context, o Owner, batch []Release) ([]Released, error) {
	out, owner := make([]Released, len(batch)), o.String()
	err := r.each(ctx, scriptRelease, len(batch), func(i int) string { return batch[i].Device },
		func(i int) []string {
			x := &batch[i]
			return []string{owner, strconv.FormatUint(uint64(x.Fence), 10), bit(x.Provisional), millis(x.Connected),
				millis(x.At), strconv.Itoa(int(x.Reason)), r.keep}
		},
		func(i int, res rueidis.RedisResult) error {
			hold, err := text(res)
			if err != nil {
				return err
			}
			out[i] = Released{Outcome: Refused}
			if hold != "0" {
				out[i] = Released{Outcome: Applied, WasHeld: hold == "1"}
			}
			return nil
		})
	return out, err
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// outcome reads the outcome at the beginning of a reply.
func outcome(reply []string) (Outcome, error) {
	if len(reply) > 0 && len(reply[0]) == 1 {
		if o := Outcome(reply[0][0] - '0'); o >= Applied && o <= Absent {
			return o, nil
		}
	}
	return Failed, fmt.Errorf("%w: a reply of %d parts begins with no outcome", ErrDecode, len(reply))
}

// Refresh implements Store.
func (r *Redis) Refresh(ctx context.Context, o Owner, batch []Refresh) ([]Refreshed, error) {
	out, owner := make([]Refreshed, len(batch)), o.String()
	err := r.each(ctx, scriptRefresh, len(batch), func(i int) string { return batch[i].Device },
		func(i int) []string {
			return []string{owner, strconv.FormatUint(uint64(batch[i].Fence), 10), millis(batch[i].Inbound)}
		},
		func(i int, res rueidis.RedisResult) (err error) {
			reply, err := texts(res)
			if err != nil {
				return err
			}
			out[i], err = decodeRefreshed(reply)
			return err
		})
	return out, err
}

// decodeRefreshed reads the reply of a refresh.
func decodeRefreshed(reply []string) (x Refreshed, err error) {
	if x.Outcome, err = outcome(reply); err != nil {
		return x, err
	}
	if x.Outcome == Refused {
		if x.Current, err = decodeRecord(reply[1:]); err != nil {
			return Refreshed{}, err
		}
	}
	return x, nil
}

// Assert implements Store.
func (r *Redis) Assert(ctx context.Context, o Owner, batch []Assertion) ([]Asserted, error) {
	out, owner := make([]Asserted, len(batch)), o.String()
	err := r.each(ctx, scriptAssert, len(batch), func(i int) string { return batch[i].Device },
		func(i int) []string {
			a := &batch[i]
			return []string{owner, SIDText(a.SID), millis(a.Connected), millis(a.Inbound), strconv.FormatUint(uint64(a.Fence), 10), bit(a.Provisional)}
		},
		func(i int, res rueidis.RedisResult) (err error) {
			reply, err := texts(res)
			if err != nil {
				return err
			}
			out[i], err = decodeAsserted(reply)
			return err
		})
	return out, err
}

// decodeAsserted reads the reply of an assertion.
func decodeAsserted(reply []string) (x Asserted, err error) {
	if x.Outcome, err = outcome(reply); err != nil {
		return x, err
	}
	if len(reply) < 2 {
		return Asserted{}, fmt.Errorf("%w: an assertion's reply has no fence", ErrDecode)
	}
	fence, err := strconv.ParseUint(reply[1], 10, 32)
	if err != nil {
		return Asserted{}, fmt.Errorf("%w: fence %q", ErrDecode, clip(reply[1]))
	}
	if x.Previous, err = decodeRecord(reply[2:]); err != nil {
		return Asserted{}, err
	}
	x.Fence = uint32(fence)
	return x, nil
}

// commands runs commands that are no scripts.
func (r *Redis) commands(ctx context.Context, build func(l *link) rueidis.Commands) ([]rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	l, err := r.connected(ctx)
	if err != nil {
		return nil, err
	}
	c := build(l)
	if len(c) == 0 {
		return nil, nil
	}
	return l.client.DoMulti(ctx, c...), nil
}

// one runs one command that is no script.
func (r *Redis) one(ctx context.Context, build func(l *link) rueidis.Completed) (rueidis.RedisResult, error) {
	got, err := r.commands(ctx, func(l *link) rueidis.Commands { return rueidis.Commands{build(l)} })
	if err != nil {
		return rueidis.RedisResult{}, err
	}
	return got[0], failure(got[0].Error())
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, devices []string) ([]Answer, error) {
	out := make([]Answer, len(devices))
	got, err := r.commands(ctx, func(l *link) rueidis.Commands {
		c := make(rueidis.Commands, len(devices))
		for i, device := range devices {
			c[i] = l.client.B().Hmget().Key(Key(device)).Field("x", "o", "f", "s", "t", "c", "l", "r").Build()
		}
		return c
	})
	for i := range got {
		f, e := texts(got[i])
		if e == nil {
			out[i].Record, e = decodeRecord(f)
		}
		out[i].OK = e == nil
		err = worse(err, e)
	}
	return out, err
}

// Index implements Store.
func (r *Redis) Index(ctx context.Context, o Owner, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	_, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Sadd().Key(IndexKey(o)).Member(devices...).Build()
	})
	return err
}

// Unindex implements Store.
func (r *Redis) Unindex(ctx context.Context, o Owner, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	_, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Srem().Key(IndexKey(o)).Member(devices...).Build()
	})
	return err
}

// Page implements Store.
func (r *Redis) Page(ctx context.Context, o Owner, cursor uint64, limit int) ([]string, uint64, error) {
	res, err := r.one(ctx, func(l *link) rueidis.Completed {
		return l.client.B().Sscan().Key(IndexKey(o)).Cursor(cursor).Count(int64(max(limit, 1))).Build()
	})
	if err != nil {
		return nil, 0, err
	}
	entry, err := res.AsScanEntry()
	return entry.Elements, entry.Cursor, failure(err)
}

// Size implements Store.
func (r *Redis) Size(ctx context.Context, o Owner) (int, error) {
	res, err := r.one(ctx, func(l *link) rueidis.Completed { return l.client.B().Scard().Key(IndexKey(o)).Build() })
	if err != nil {
		return 0, err
	}
	n, err := res.AsInt64()
	return int(n), failure(err)
}
