package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
)

// Drain is an operator's wish that a node be emptied. It stays until somebody
// stops it: a node that starts again meanwhile goes on being emptied.
type Drain struct {
	// Over is the time in which the devices are moved: 1 s to MostOver. JSON has it
	// as over_ms.
	Over time.Duration
	// At is when it was wished for, by the clock of who did.
	At time.Time
	// By and Why are for people; at most 512 bytes each, longer is cut.
	By, Why string

	// Revision is that of the key. Not stored.
	Revision int64
}

// MostOver bounds how long a drain may take.
const MostOver = 24 * time.Hour

const (
	inDrains = "drain/" // after /config/
	maxDrain = 4 << 10
)

// storedDrain is the JSON.
type storedDrain struct {
	OverMS int64     `json:"over_ms"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Why    string    `json:"why,omitempty"`
}

func (d *Drain) check() error {
	if d.Over < time.Second || d.Over > MostOver {
		return fmt.Errorf("%w: a drain over %v: 1s to %v", ErrOptions, d.Over, MostOver)
	}
	return nil
}

func (d *Drain) encode() (string, error) {
	if err := d.check(); err != nil {
		return "", err
	}
	b, err := json.Marshal(storedDrain{d.Over.Milliseconds(), d.At.UTC().Truncate(time.Millisecond), cut(d.By), cut(d.Why)})
	return string(b), err
}

func decodeDrain(node string, value []byte, revision int64) (Drain, error) {
	var s storedDrain
	if err := decode("drain of "+node, value, maxDrain, &s); err != nil {
		return Drain{}, err
	}
	d := Drain{At: s.At, By: s.By, Why: s.Why, Revision: revision}
	if s.OverMS > 0 && s.OverMS <= MostOver.Milliseconds() { // an int64 of milliseconds may be no Duration
		d.Over = time.Duration(s.OverMS) * time.Millisecond
	}
	if err := d.check(); err != nil {
		return Drain{}, fmt.Errorf("%w: drain of %q: over_ms %d: %w", ErrDamaged, node, s.OverMS, err)
	}
	return d, nil
}

// DrainOf returns the drain that a view has for a node; ok is whether there is
// one. One that cannot be read is ErrDamaged, and ok: the node is meant to be
// emptied, nobody knows how fast.
func DrainOf(v *View, node string) (d Drain, ok bool, err error) {
	e, ok := v.Config[inDrains+node]
	if !ok {
		return Drain{}, false, nil
	}
	d, err = decodeDrain(node, e.Value, e.Revision)
	return d, true, err
}

// DrainsOf returns all drains of a view by node, and what is wrong with those that
// cannot be read.
func DrainsOf(v *View) (map[string]Drain, error) {
	all, errs := map[string]Drain{}, []error(nil)
	for _, name := range slices.Sorted(maps.Keys(v.Config)) {
		node, is := strings.CutPrefix(name, inDrains)
		if !is {
			continue
		}
		d, err := decodeDrain(node, v.Config[name].Value, v.Config[name].Revision)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[node] = d
	}
	return all, errors.Join(errs...)
}

// Drains are the wishes of operators that nodes be emptied: /config/drain/<node>.
// It holds nothing: any number of goroutines may use it.
type Drains struct{ c *Client }

// Drains returns the drains of the cluster.
func (c *Client) Drains() *Drains { return &Drains{c} }

// Start asks that a node be emptied, in the place of an earlier wish. The node
// need not be there. Errors are ErrOptions, ErrOtherCluster, or etcd's.
func (d *Drains) Start(ctx context.Context, node string, wish Drain) (Drain, error) {
	return d.start(ctx, node, wish, nil)
}

// start is Start if all of only is so.
func (d *Drains) start(ctx context.Context, node string, wish Drain, only []clientv3.Cmp) (Drain, error) {
	if err := (&ring.Node{ID: node}).CheckTexts(); err != nil {
		return Drain{}, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if wish.At.IsZero() {
		wish.At = time.Now()
	}
	value, err := wish.encode()
	if err != nil {
		return Drain{}, err
	}
	ctx, cancel := d.c.within(ctx)
	defer cancel()
	key := d.key(node)
	resp, err := d.c.etcd.Txn(ctx).If(append(only, d.c.ours())...).Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(d.c.keys.cluster())).Commit()
	if err != nil {
		return Drain{}, d.c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		found := resp.Responses[0].GetResponseRange()
		if len(only) > 0 && d.c.sameIn(found) == nil {
			return Drain{}, fmt.Errorf("%w: another drain, a pin, or a node that has gone: look again, then decide", ErrMoved)
		}
		return Drain{}, d.c.identityOf(ctx, found)
	}
	return decodeDrain(node, []byte(value), resp.Header.GetRevision())
}

// Stop takes the wish back; the node stays, or fills again. It reports whether
// there was one. Errors are ErrOtherCluster, or etcd's.
func (d *Drains) Stop(ctx context.Context, node string) (was bool, err error) {
	ctx, cancel := d.c.within(ctx)
	defer cancel()
	key := d.key(node)
	resp, err := d.c.etcd.Txn(ctx).If(d.c.ours()).Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(d.c.keys.cluster())).Commit()
	if err != nil {
		return false, d.c.failed("delete "+key, err)
	}
	if !resp.Succeeded {
		return false, d.c.identityOf(ctx, resp.Responses[0].GetResponseRange())
	}
	return resp.Responses[0].GetResponseDeleteRange().GetDeleted() > 0, nil
}

// List reads all drains by node, linearizable, and what is wrong with those that
// cannot be read.
func (d *Drains) List(ctx context.Context) (map[string]Drain, error) {
	ctx, cancel := d.c.within(ctx)
	defer cancel()
	prefix := d.key("")
	resp, err := d.c.etcd.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, d.c.failed("list drains", err)
	}
	v := View{Config: make(map[string]Entry, len(resp.Kvs))}
	for _, kv := range resp.Kvs {
		v.Config[inDrains+strings.TrimPrefix(string(kv.Key), prefix)] = Entry{kv.Value, kv.ModRevision}
	}
	return DrainsOf(&v)
}

func (d *Drains) key(node string) string { return d.c.keys.config() + inDrains + node }
