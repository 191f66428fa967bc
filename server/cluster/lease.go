package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// holding is a key on a lease of its own, which this process has. It belongs to
// one goroutine.
type holding struct {
	c       *Client
	key     string
	ttl     time.Duration // as granted
	lease   clientv3.LeaseID
	created int64     // revision at which the key was put
	until   time.Time // the lease is alive until then at least, by the monotonic clock
}

// claim puts a key that nobody has. ours is nil if somebody has it, or if the
// prefix is not ours: then other or err says so. Where the answer is lost the
// lease is revoked, and with it the key, should it have been put.
func (c *Client) claim(ctx context.Context, key, value string, ttl time.Duration) (ours *holding, other *mvccpb.KeyValue, err error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	begin := time.Now()
	grant, err := c.etcd.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return nil, nil, c.failed("lease for "+key, err)
	}
	resp, err := c.etcd.Txn(ctx).If(c.ours(), absent(key)).
		Then(clientv3.OpPut(key, value, clientv3.WithLease(grant.ID))).
		Else(clientv3.OpGet(key), clientv3.OpGet(c.keys.cluster())).Commit()
	if err == nil && resp.Succeeded {
		granted := time.Duration(grant.TTL) * time.Second
		return &holding{c: c, key: key, ttl: granted, lease: grant.ID, created: resp.Header.GetRevision(), until: begin.Add(granted)}, nil, nil
	}
	c.revoke(ctx, grant.ID)
	if err != nil {
		return nil, nil, c.failed("put "+key, err)
	}
	other = only(resp.Responses[0].GetResponseRange().GetKvs())
	if kv := only(resp.Responses[1].GetResponseRange().GetKvs()); kv != nil {
		return nil, other, c.sameCluster(string(kv.Value))
	}
	// An etcd that has lost its data: the prefix is taken again.
	return nil, nil, c.Identify(ctx)
}

// revoke gives a lease back; if that fails it expires by itself.
func (c *Client) revoke(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := c.after(ctx)
	defer cancel()
	if _, err := c.etcd.Revoke(ctx, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		c.note("revoke a lease", err)
	}
}

// refresh keeps the lease alive and looks whether the key is there as it was put.
// It returns errLost if it is not; any other error says nothing of it.
func (h *holding) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(h.c.o.Timeout, h.every()))
	defer cancel()
	begin := time.Now()
	if _, err := h.c.etcd.KeepAliveOnce(ctx, h.lease); errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("%w: the lease of %s has expired", errLost, h.key)
	} else if err != nil {
		return h.c.failed("keep "+h.key, err)
	}
	resp, err := h.c.etcd.Get(ctx, h.key)
	if err != nil {
		return h.c.failed("look at "+h.key, err)
	}
	if len(resp.Kvs) == 0 {
		return fmt.Errorf("%w: somebody has deleted %s", errLost, h.key)
	}
	if kv := resp.Kvs[0]; kv.CreateRevision != h.created || clientv3.LeaseID(kv.Lease) != h.lease {
		return fmt.Errorf("%w: somebody else has put %s", errLost, h.key)
	}
	h.until = begin.Add(h.ttl)
	return nil
}

// every is how often a lease is refreshed: twice may fail.
func (h *holding) every() time.Duration { return h.ttl / 3 }

// drop gives key and lease back.
func (h *holding) drop(ctx context.Context) { h.c.revoke(ctx, h.lease) }

// held is the comparison that the key still is this holder's.
func (h *holding) held() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(h.key), "=", h.created)
}

// evict deletes a key if it was put last at a revision. It reports whether it is
// gone.
func (c *Client) evict(ctx context.Context, key string, revision int64) (bool, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.etcd.Txn(ctx).If(c.ours(), at(key, revision)).Then(clientv3.OpDelete(key)).Commit()
	if err != nil {
		return false, c.failed("delete "+key, err)
	}
	return resp.Succeeded, nil
}

// left returns how long a lease still lives, 0 if it is gone, and whether a key
// without a lease was asked for.
func (c *Client) left(ctx context.Context, lease clientv3.LeaseID) (time.Duration, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.etcd.TimeToLive(ctx, lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, c.failed("look at a lease", err)
	}
	return time.Duration(max(resp.TTL, 0)) * time.Second, nil
}
