package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roost/decay/dawn"
)

// ErrNoNight: there is nothing of the night to end.
var ErrNoNight = errors.New("cluster: no night to end")

// Abort ends a night, or one window of it, as an operator: by a machine of decay/dawn
// that takes part like a node's, so under the lock and by compare-and-swap. It waits for a
// holder of the lock as long as ctx lasts. What has not begun is skipped, what has comes
// back from where it is. It returns the record as it is then. life tells this start of who
// aborts from others; a dead one's lock is then known. Errors are ErrNoNight, or what the
// store answers.
func (n *Nights) Abort(ctx context.Context, night dawn.Night, abort dawn.Abort, who string, life uint64) (dawn.Record, error) {
	m, err := dawn.NewMachine(dawn.Config{Node: who, Life: life, Environment: n.c.id.Environment, Rules: dawn.DefaultRules, Limits: dawn.DefaultLimits}, night)
	if err != nil {
		return dawn.Record{}, fmt.Errorf("%w: %w", ErrNoNight, err)
	}
	m.Handle(abort) // kept in mind until the machine has fired
	var event dawn.Event = dawn.Fired{Now: n.now(), Known: true}
	var last error
	for again := false; ctx.Err() == nil; {
		action := m.Handle(event)
		switch a := action.(type) {
		case dawn.Stop:
			return dawn.Record{}, fmt.Errorf("%w: %s", ErrNoNight, a.Reason)
		case dawn.Wait:
			if !again {
				return dawn.Record{}, fmt.Errorf("%w: nothing of it falls, is low or will fall", ErrNoNight)
			}
			pause(ctx, abortAgain, nil)
			abort.Now = n.now()
			event, again = abort, false
			continue
		}
		var ok bool
		if event, ok = n.Do(ctx, action); !ok {
			return dawn.Record{}, fmt.Errorf("%w: the machine wants %T", ErrNoNight, action)
		}
		switch e := event.(type) {
		case dawn.Failed:
			again, last = true, e.Err
		case dawn.LockResult:
			if !e.Taken {
				again, last = true, fmt.Errorf("%s is held: %s", dawn.LockKey, e.Value)
			}
		case dawn.CommitResult:
			if e.Refusal == dawn.Accepted {
				c := action.(dawn.Commit)
				// What else is due is the nodes' to do.
				_, _ = n.Do(context.WithoutCancel(ctx), dawn.Release{Key: dawn.LockKey, Fence: c.IfFence})
				return c.Record, nil
			}
			again, last = true, errors.New("somebody else has written the night")
		}
	}
	return dawn.Record{}, errors.Join(ctx.Err(), last)
}

// abortAgain is how often an operator tries a lock that is held: a node holds it for some
// milliseconds, a dead one for five minutes.
const abortAgain = time.Second

// Holder returns which node has the lock and for which night; ok is false if nobody has.
func (n *Nights) Holder(ctx context.Context) (node string, d dawn.Date, ok bool, err error) {
	ctx, cancel := n.c.within(ctx)
	defer cancel()
	resp, err := n.c.etcd.Get(ctx, n.c.keys.under(dawn.LockKey))
	if err != nil {
		return "", 0, false, n.c.failed("read "+dawn.LockKey, err)
	}
	kv := only(resp.Kvs)
	if kv == nil {
		return "", 0, false, nil
	}
	d, node, _, ok = dawn.ParseLockValue(string(kv.Value))
	return node, d, ok, nil
}
