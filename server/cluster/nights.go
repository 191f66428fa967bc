package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/decay/dawn"
)

// Nights carries out the requests of a dawn.Machine: records and the lock, under
// the cluster's prefix. It holds nothing: any number of goroutines may use it.
type Nights struct {
	c   *Client
	now func() time.Time
}

// Nights returns the store of maintenance nights.
func (c *Client) Nights() *Nights { return &Nights{c, time.Now} }

// Ahead returns a store of nights by a clock that is so far ahead of this machine's: that of the nodes, for who is none.
func (n *Nights) Ahead(by time.Duration) *Nights {
	return &Nights{n.c, func() time.Time { return n.now().Add(by) }}
}

// Do carries out a Read, Lock, Commit or Release and returns the event that
// answers it, Failed if there was no answer in time. ok is false for any other
// action, which is the caller's to do.
func (n *Nights) Do(ctx context.Context, action dawn.Action) (event dawn.Event, ok bool) {
	ctx, cancel := n.c.within(ctx)
	defer cancel()
	var err error
	var seq uint64
	switch a := action.(type) {
	case dawn.Read:
		seq = a.Seq
		event, err = n.read(ctx, a)
	case dawn.Lock:
		seq = a.Seq
		event, err = n.lock(ctx, a)
	case dawn.Commit:
		seq = a.Seq
		event, err = n.commit(ctx, a)
	case dawn.Release:
		seq = a.Seq
		event, err = n.release(ctx, a)
	default:
		return nil, false
	}
	if err != nil {
		return dawn.Failed{Now: n.now(), Seq: seq, Err: err}, true
	}
	return event, true
}

// Records reads the records of all nights that a view has, and what is wrong with
// those that cannot be read.
func Records(v *View) (records []dawn.Record, err error) {
	for name, e := range v.Config {
		if !strings.HasPrefix(inConfig+name, dawn.DonePrefix) {
			continue
		}
		r, bad := dawn.DecodeRecord(e.Value)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%s%s: %w", inConfig, name, bad))
			continue
		}
		records = append(records, r)
	}
	return records, err
}

func (n *Nights) read(ctx context.Context, a dawn.Read) (dawn.Event, error) {
	resp, err := n.c.etcd.Get(ctx, n.c.keys.under(a.Key))
	if err != nil {
		return nil, n.c.failed("read "+a.Key, err)
	}
	event := dawn.RecordRead{Seq: a.Seq}
	for _, kv := range resp.Kvs {
		event.Rev = kv.ModRevision
		event.Record, event.Err = dawn.DecodeRecord(kv.Value)
	}
	event.Now = n.now()
	return event, nil
}

func (n *Nights) lock(ctx context.Context, a dawn.Lock) (dawn.Event, error) {
	grant, err := n.c.etcd.Grant(ctx, int64((a.TTL+time.Second-1)/time.Second))
	if err != nil {
		return nil, n.c.failed("lease for "+a.Key, err)
	}
	key := n.c.keys.under(a.Key)
	resp, err := n.c.etcd.Txn(ctx).If(n.c.ours(), at(key, a.Replace)).
		Then(clientv3.OpPut(key, a.Value, clientv3.WithLease(grant.ID))).Else(clientv3.OpGet(key), clientv3.OpGet(n.c.keys.cluster())).Commit()
	if err == nil && resp.Succeeded {
		return dawn.LockResult{Now: n.now(), Seq: a.Seq, Taken: true, Fence: resp.Header.GetRevision(), Value: a.Value}, nil
	}
	if err != nil {
		// Whether it was put is not known; the machine looks again, and takes a lock
		// of its own value over. The lease is left to it.
		return nil, n.c.failed("put "+a.Key, err)
	}
	n.c.revoke(ctx, grant.ID)
	if err := n.c.sameIn(resp.Responses[1].GetResponseRange()); err != nil {
		return nil, n.c.identityOf(ctx, resp.Responses[1].GetResponseRange())
	}
	event := dawn.LockResult{Seq: a.Seq}
	for _, kv := range resp.Responses[0].GetResponseRange().GetKvs() {
		event.Fence, event.Value, event.Age = kv.ModRevision, string(kv.Value), dawn.LockTTL
		if kv.Lease != 0 {
			if event.Age, err = n.age(ctx, clientv3.LeaseID(kv.Lease)); err != nil {
				return nil, err
			}
		}
	}
	event.Now = n.now()
	return event, nil
}

// age is what a lease was granted less what is left of it.
func (n *Nights) age(ctx context.Context, lease clientv3.LeaseID) (time.Duration, error) {
	resp, err := n.c.etcd.TimeToLive(ctx, lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) || err == nil && resp.TTL < 0 {
		return dawn.LockTTL, nil
	}
	if err != nil {
		return 0, n.c.failed("look at the lock's lease", err)
	}
	return time.Duration(resp.GrantedTTL-resp.TTL) * time.Second, nil
}

func (n *Nights) commit(ctx context.Context, a dawn.Commit) (dawn.Event, error) {
	event := dawn.CommitResult{Seq: a.Seq}
	if a.IfEnvironment != n.c.id.Environment {
		event.Now, event.Refusal = n.now(), dawn.WrongEnvironment
		return event, nil
	}
	value, err := a.Record.Encode()
	if err != nil {
		return nil, err
	}
	key, lock := n.c.keys.under(a.Key), n.c.keys.under(dawn.LockKey)
	resp, err := n.c.etcd.Txn(ctx).If(n.c.ours(), at(key, a.IfRevision), at(lock, a.IfFence)).
		Then(clientv3.OpPut(key, string(value))).Else(clientv3.OpGet(key, clientv3.WithKeysOnly()), clientv3.OpGet(lock, clientv3.WithKeysOnly())).Commit()
	if err != nil {
		return nil, n.c.failed("put "+a.Key, err)
	}
	event.Now = n.now()
	if resp.Succeeded {
		event.Rev = resp.Header.GetRevision()
		return event, nil
	}
	revision := func(i int) int64 {
		if kv := only(resp.Responses[i].GetResponseRange().GetKvs()); kv != nil {
			return kv.ModRevision
		}
		return 0
	}
	switch {
	case revision(0) != a.IfRevision:
		event.Refusal = dawn.RecordMoved
	case revision(1) != a.IfFence:
		event.Refusal = dawn.LockMoved
	default:
		event.Refusal = dawn.WrongEnvironment
	}
	return event, nil
}

func (n *Nights) release(ctx context.Context, a dawn.Release) (dawn.Event, error) {
	key := n.c.keys.under(a.Key)
	resp, err := n.c.etcd.Txn(ctx).If(n.c.ours(), at(key, a.Fence)).Then(clientv3.OpDelete(key, clientv3.WithPrevKV())).Commit()
	if err != nil {
		return nil, n.c.failed("delete "+a.Key, err)
	}
	if resp.Succeeded {
		for _, r := range resp.Responses {
			for _, kv := range r.GetResponseDeleteRange().GetPrevKvs() {
				n.c.revoke(ctx, clientv3.LeaseID(kv.Lease))
			}
		}
	}
	return dawn.Released{Now: n.now(), Seq: a.Seq}, nil
}
