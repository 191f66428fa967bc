package ringmirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"roost/server/cluster"
)

// The scripts, each on one key.
var (
	// putScript stores a snapshot that does not expire, and returns whether it changed
	// anything.
	putScript = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return {redis.call('PERSIST', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1])
return {1}`)

	// keepScript has a snapshot not expire, if it is there.
	keepScript = rueidis.NewLuaScript(`return {redis.call('PERSIST', KEYS[1])}`)

	// retireScript has a snapshot expire that does not yet.
	retireScript = rueidis.NewLuaScript(`
if redis.call('TTL', KEYS[1]) == -1 then
  return {redis.call('EXPIRE', KEYS[1], ARGV[1])}
end
return {0}`)

	// swapScript puts a pointer in the place of the one that its writer has seen (ARGV[5]),
	// if it is newer: Pointer.Newer. It returns 1 when it is there; 0 and what is there
	// instead when that has changed, or is not older.
	swapScript = rueidis.NewLuaScript(`
local old = redis.call('GET', KEYS[1])
if old and old ~= ARGV[5] then return {0, old} end
if old then
  local ok, p = pcall(cjson.decode, old)
  if ok and type(p) == 'table' and type(p.activation) == 'number' and p.activation > 0 then
    if p.history == ARGV[3] then
      if p.activation >= tonumber(ARGV[2]) then return {0, old} end
    elseif (tonumber(p.at_ms) or 0) > tonumber(ARGV[4]) then
      return {0, old}
    end
  end
end
redis.call('SET', KEYS[1], ARGV[1])
return {1}`)
)

// Wrote is what a Write did.
type Wrote uint8

// What a write does.
const (
	Kept    Wrote = iota // all was there
	Mended               // the pointer was there, snapshots or their lives were not
	Swapped              // the pointer is ours now
)

// swaps is how often a swap is tried against others that write at the same time.
const swaps = 5

// Write brings to Redis what is in force by a view of etcd. The error is ErrOld if Redis has what is newer, ErrDamaged if it does not keep what it is given,
// or Redis's own.
func (s *Store) Write(ctx context.Context, a *cluster.Active, v *cluster.View) (Wrote, error) {
	stable, canary := a.Stored()
	if stable == nil || a.Pointer.Activation <= 0 || a.From != cluster.FromEtcd {
		return Kept, fmt.Errorf("%w: no ring that etcd has put in force", ErrNone)
	}
	p := pointerOf(a, v)
	for range swaps {
		old, raw, err := s.pointer(ctx)
		switch {
		case errors.Is(err, ErrNone), errors.Is(err, ErrDamaged):
			old = Pointer{}
		case err != nil:
			return Kept, err
		case p.same(&old):
			return s.mend(ctx, &old, stable, canary)
		case !p.Newer(&old):
			return Kept, fmt.Errorf("%w: Redis has activation %d of history %.8s, made %v; this is activation %d of history %.8s, made %v",
				ErrOld, old.Activation, old.History, old.At, p.Activation, p.History, p.At)
		}
		p.after(&old)
		if _, err := s.put(ctx, &p, stable, canary); err != nil {
			return Kept, err
		}
		swapped, err := s.swap(ctx, &p, raw)
		if err != nil {
			return Kept, err
		}
		if swapped {
			return Swapped, s.retire(ctx, p.Retired)
		}
	}
	return Kept, fmt.Errorf("ringmirror: %s changed %d times meanwhile: it is tried again", s.activeKey(), swaps)
}

// mend sees that all that the pointer names is there for good, and that the rest goes.
func (s *Store) mend(ctx context.Context, p *Pointer, stable, canary *cluster.Stored) (Wrote, error) {
	changed, err := s.put(ctx, p, stable, canary)
	if err == nil {
		err = s.retire(ctx, p.Retired)
	}
	if changed {
		return Mended, err
	}
	return Kept, err
}

// put stores the snapshots that p names and reads them back. What else it names is kept.
func (s *Store) put(ctx context.Context, p *Pointer, all ...*cluster.Stored) (changed bool, err error) {
	var have []uint64
	for _, x := range all {
		if x == nil || !slices.Contains(p.named(), x.Version) {
			continue
		}
		have = append(have, x.Version)
		reply, err := s.run(ctx, putScript, s.versionKey(x.Version), string(x.Bytes))
		if err != nil {
			return changed, err
		}
		changed = changed || did(reply)
		b, err := s.Snapshot(ctx, x.Version)
		if err != nil {
			return changed, err
		}
		if _, err := cluster.ReadStored(x.Version, x.Hash, b); err != nil {
			return changed, fmt.Errorf("%w: read back: %w", ErrDamaged, err)
		}
	}
	for _, v := range p.named() {
		if slices.Contains(have, v) {
			continue
		}
		reply, err := s.run(ctx, keepScript, s.versionKey(v))
		if err != nil {
			return changed, err
		}
		changed = changed || did(reply)
	}
	return changed, nil
}

// did reports whether a script answered 1 first.
func did(reply []rueidis.RedisMessage) bool {
	if len(reply) == 0 {
		return false
	}
	n, err := reply[0].AsInt64()
	return err == nil && n == 1
}

func (s *Store) swap(ctx context.Context, p *Pointer, old string) (bool, error) {
	text, err := p.encode()
	if err != nil {
		return false, err
	}
	reply, err := s.run(ctx, swapScript, s.activeKey(), text, strconv.FormatInt(p.Activation, 10), p.History, strconv.FormatInt(p.AtMS, 10), old)
	return did(reply), err
}

// retire has versions expire.
func (s *Store) retire(ctx context.Context, versions []uint64) error {
	var errs []error
	for _, v := range versions {
		_, err := s.run(ctx, retireScript, s.versionKey(v), strconv.Itoa(int(Retire/time.Second)))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
