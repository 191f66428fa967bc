package cluster

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
	"roost/ring/snapshot"
)

// MaxSnapshot bounds a stored snapshot, in bytes: some 20,000 nodes. etcd takes
// 1.5 MiB a request.
const MaxSnapshot = 1 << 20

// Versions are the rings written down and the pointer to those in force. Any
// number of goroutines may use it. Where a request has no answer it is not known
// whether it took effect: read the pointer, then decide.
type Versions struct {
	c     *Client
	fence []clientv3.Cmp // of the planner that writes
}

// Versions returns the versions of the cluster.
func (c *Client) Versions() *Versions { return &Versions{c: c} }

// under returns versions that only the holder of h may write.
func (v *Versions) under(h *holding) *Versions {
	return &Versions{c: v.c, fence: []clientv3.Cmp{h.held()}}
}

// Pointer reads the pointer, linearizable. None is the zero Pointer.
func (v *Versions) Pointer(ctx context.Context) (Pointer, error) {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	return v.pointer(ctx)
}

func (v *Versions) pointer(ctx context.Context) (Pointer, error) {
	resp, err := v.c.etcd.Get(ctx, v.c.keys.active())
	if err != nil {
		return Pointer{}, v.c.failed("read the ring pointer", err)
	}
	if kv := only(resp.Kvs); kv != nil {
		return decodePointer(kv.Value, kv.ModRevision)
	}
	return Pointer{}, nil
}

// Stored is a version as it is stored.
type Stored struct {
	Version uint64
	Hash    Hash
	Bytes   []byte // ring/snapshot's binary form
	Ring    *ring.Ring
}

// Put stores a ring under its version and reads it back. Once stored a version
// never changes: the same again is nil, another one with its number ErrConflict.
// The other errors are ErrOptions for version 0, ErrTooBig, ErrOtherCluster, ErrNotPlanner.
func (v *Versions) Put(ctx context.Context, r *ring.Ring) (Hash, error) {
	if r.Version() == 0 {
		return 0, fmt.Errorf("%w: a stored ring has a version above 0", ErrOptions)
	}
	b, err := snapshot.Of(r).Encode()
	if err != nil {
		return 0, err
	}
	if len(b) > MaxSnapshot {
		return 0, fmt.Errorf("%w: ring %d has %d bytes as a snapshot, at most %d are allowed", ErrTooBig, r.Version(), len(b), MaxSnapshot)
	}
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	key := v.c.keys.version(r.Version())
	resp, err := v.c.etcd.Txn(ctx).If(v.compare(absent(key))...).Then(clientv3.OpPut(key, string(b))).
		Else(clientv3.OpGet(key), clientv3.OpGet(v.c.keys.cluster())).Commit()
	if err != nil {
		return 0, v.c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) == 0 || v.c.sameIn(resp.Responses[1].GetResponseRange()) != nil {
			return 0, v.refused(ctx, resp.Responses[1].GetResponseRange())
		}
	}
	back, err := v.c.etcd.Get(ctx, key)
	switch {
	case err != nil:
		return 0, v.c.failed("read back "+key, err)
	case len(back.Kvs) == 0:
		return 0, fmt.Errorf("%w: %d was collected as soon as it was put", ErrNoVersion, r.Version())
	case !bytes.Equal(back.Kvs[0].Value, b):
		return 0, fmt.Errorf("%w: version %d (hash %v, this is %v): take the next number", ErrConflict, r.Version(), Hash(snapshot.ContentHash(back.Kvs[0].Value)), Hash(snapshot.ContentHash(b)))
	}
	return Hash(snapshot.ContentHash(b)), nil
}

// Get reads a version and checks it: content hash, number, and that it is a ring.
// Errors are ErrNoVersion and ErrDamaged, or etcd's.
func (v *Versions) Get(ctx context.Context, version uint64) (*Stored, error) {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	key := v.c.keys.version(version)
	resp, err := v.c.etcd.Get(ctx, key)
	if err != nil {
		return nil, v.c.failed("read "+key, err)
	}
	if kv := only(resp.Kvs); kv != nil {
		return readStored(version, kv.Value)
	}
	return nil, fmt.Errorf("%w: %d: %s is not there", ErrNoVersion, version, key)
}

// readStored checks a version's bytes, and makes the ring.
func readStored(version uint64, b []byte) (*Stored, error) {
	s, err := snapshot.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: version %d: %w", ErrDamaged, version, err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%w: version %d holds ring %d", ErrDamaged, version, s.Version)
	}
	r, err := s.Ring()
	if err != nil {
		return nil, fmt.Errorf("%w: version %d: %w", ErrDamaged, version, err)
	}
	return &Stored{Version: version, Hash: Hash(snapshot.ContentHash(b)), Bytes: b, Ring: r}, nil
}

// List returns the numbers of all stored versions, the smallest first.
func (v *Versions) List(ctx context.Context) ([]uint64, error) {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	resp, err := v.c.etcd.Get(ctx, v.c.keys.versions(), clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, v.c.failed("list versions", err)
	}
	var list []uint64
	for _, kv := range resp.Kvs {
		if _, name := v.c.keys.parse(string(kv.Key)); name != "" {
			if n, ok := parseVersion(name); ok {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list, nil
}

// Activate puts a version in force for all keys. expect is the activation at which
// the caller saw the pointer, 0 if there was none: should it be another now, the
// error is a *MovedError. The others are ErrNoVersion, ErrDamaged, ErrOtherCluster, ErrNotPlanner.
func (v *Versions) Activate(ctx context.Context, expect int64, version uint64, t Told) (Pointer, error) {
	return v.change(ctx, expect, []uint64{version}, func(p Pointer, n []named) (Pointer, error) {
		return p.activated(n[0], t), nil
	})
}

// Canary puts a version on trial, for a share of 1 to ring.ShareUnit of the keys
// (500 is 5 %), or gives the one on trial another share. Errors are Activate's,
// and ErrOptions.
func (v *Versions) Canary(ctx context.Context, expect int64, version uint64, share int, t Told) (Pointer, error) {
	return v.change(ctx, expect, []uint64{version}, func(p Pointer, n []named) (Pointer, error) {
		return p.tried(n[0], share, t)
	})
}

// Promote puts the canary in force for all. Errors are Activate's, and
// ErrNoCanary.
func (v *Versions) Promote(ctx context.Context, expect int64, t Told) (Pointer, error) {
	return v.change(ctx, expect, nil, func(p Pointer, _ []named) (Pointer, error) { return p.promoted(t) })
}

// Rollback takes the canary back, or without one the stable version, by a new
// activation. Errors are Activate's; ErrNoVersion also if there is nothing to go
// back to.
func (v *Versions) Rollback(ctx context.Context, expect int64, t Told) (Pointer, error) {
	return v.change(ctx, expect, nil, func(p Pointer, _ []named) (Pointer, error) { return p.rolledBack(t) })
}

// replace puts both rings of a trial in force at once.
func (v *Versions) replace(ctx context.Context, expect int64, stable, canary uint64, t Told) (Pointer, error) {
	return v.change(ctx, expect, []uint64{stable, canary}, func(p Pointer, n []named) (Pointer, error) {
		return p.replaced(n[0], n[1], t), nil
	})
}

// change is the one way in which the pointer changes. The snapshots of what the
// next pointer names must be there, which the transaction compares too: collecting
// cannot come in between.
func (v *Versions) change(ctx context.Context, expect int64, versions []uint64, f func(Pointer, []named) (Pointer, error)) (Pointer, error) {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	names := make([]named, len(versions))
	for i, version := range versions {
		s, err := v.Get(ctx, version)
		if err != nil {
			return Pointer{}, err
		}
		names[i] = named{version, s.Hash}
	}
	now, err := v.pointer(ctx)
	if err != nil {
		return Pointer{}, err
	}
	if now.Activation != expect {
		return now, &MovedError{expect, now}
	}
	next, err := f(now, names)
	if err != nil {
		return now, err
	}
	value, err := next.encode()
	if err != nil {
		return now, err
	}
	compare := v.compare(at(v.c.keys.active(), expect), present(v.c.keys.version(next.Stable)))
	if next.Canary != 0 {
		compare = append(compare, present(v.c.keys.version(next.Canary)))
	}
	resp, err := v.c.etcd.Txn(ctx).If(compare...).Then(clientv3.OpPut(v.c.keys.active(), value)).
		Else(clientv3.OpGet(v.c.keys.cluster())).Commit()
	if err != nil {
		return Pointer{}, v.c.failed("change the ring pointer", err)
	}
	if !resp.Succeeded {
		return Pointer{}, v.whyNot(ctx, expect, next, resp.Responses[0].GetResponseRange())
	}
	next.Activation = resp.Header.GetRevision()
	return next, nil
}

// compare is what each write compares.
func (v *Versions) compare(more ...clientv3.Cmp) []clientv3.Cmp {
	return slices.Concat([]clientv3.Cmp{v.c.ours()}, v.fence, more)
}

// whyNot says which comparison of a change did not hold.
func (v *Versions) whyNot(ctx context.Context, expect int64, next Pointer, cluster *etcdserverpb.RangeResponse) error {
	now, err := v.pointer(ctx)
	if err != nil {
		return err
	}
	if now.Activation != expect {
		return &MovedError{expect, now}
	}
	for _, version := range []uint64{next.Stable, next.Canary} {
		if version == 0 {
			continue
		}
		if _, err := v.Get(ctx, version); err != nil {
			return err
		}
	}
	return v.refused(ctx, cluster)
}

// refused says why a write was refused whose own comparisons hold.
func (v *Versions) refused(ctx context.Context, cluster *etcdserverpb.RangeResponse) error {
	if err := v.c.sameIn(cluster); err != nil {
		return v.c.identityOf(ctx, cluster)
	}
	if v.fence != nil {
		return fmt.Errorf("%w: another node has %s", ErrNotPlanner, v.c.keys.planner())
	}
	return fmt.Errorf("%w: what was compared has changed since: try again", ErrMoved)
}

// collectAtOnce bounds the operations of a transaction; etcd takes 128.
const collectAtOnce = 64

// Collect deletes stored versions, the oldest first, but for the newest keep of
// them and those that the pointer names. It returns how many it deleted. It stops
// with ErrMoved if the pointer moves meanwhile; another call goes on.
func (v *Versions) Collect(ctx context.Context, keep int) (deleted int, err error) {
	p, err := v.Pointer(ctx)
	if err != nil {
		return 0, err
	}
	list, err := v.List(ctx)
	if err != nil {
		return 0, err
	}
	list = list[:max(len(list)-max(keep, 0), 0)]
	list = slices.DeleteFunc(list, p.refers)
	for chunk := range slices.Chunk(list, collectAtOnce) {
		if err := v.deleteAll(ctx, p, chunk); err != nil {
			return deleted, err
		}
		deleted += len(chunk)
	}
	return deleted, nil
}

func (v *Versions) deleteAll(ctx context.Context, p Pointer, versions []uint64) error {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	ops := make([]clientv3.Op, len(versions))
	for i, version := range versions {
		ops[i] = clientv3.OpDelete(v.c.keys.version(version))
	}
	resp, err := v.c.etcd.Txn(ctx).If(v.compare(at(v.c.keys.active(), p.Activation))...).Then(ops...).
		Else(clientv3.OpGet(v.c.keys.cluster())).Commit()
	if err != nil {
		return v.c.failed("collect versions", err)
	}
	if !resp.Succeeded {
		return v.whyNot(ctx, p.Activation, Pointer{}, resp.Responses[0].GetResponseRange())
	}
	return nil
}

// told is what somebody does now.
func told(by, why string) Told { return Told{By: by, Why: why, At: time.Now()} }
