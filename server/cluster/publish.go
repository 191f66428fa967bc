package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// WeightTTL is how long a weight counts that is not published again.
	WeightTTL = 5 * time.Second
	// WeightRefresh is how old the inputs of a weight may get that does not change.
	// A put goes to every node, a lease kept alive to none: 100 nodes that put each
	// second would be 10,000 events a second.
	WeightRefresh = 10 * time.Second
)

// Publisher publishes the weight of one node, on a lease of WeightTTL that lives
// by being published: a node whose weight loop has stopped has none.
type Publisher struct {
	// Static after NewPublisher.
	c  *Client
	id string

	mu    sync.Mutex // guards what follows, and is held over a request
	lease clientv3.LeaseID
	last  Weight // as put
	put   time.Time
	// Of Learn, which outlives the publisher.
	long    clientv3.LeaseID
	learned Learned // as put
}

// Publisher returns the publisher of a node's weight. There is one a node.
func (c *Client) Publisher(id string) *Publisher { return &Publisher{c: c, id: id} }

// Publish says what the node's weight is now, and keeps the lease alive. It is
// called about each second, and puts the key only if value or mark has changed, a
// trial began or ended, or WeightRefresh is over. An error leaves the last one
// to expire; the next call puts again. Errors are ErrMember, ErrTooBig, ErrOtherCluster, or etcd's.
func (p *Publisher) Publish(ctx context.Context, w Weight) error {
	if err := w.check(p.id); err != nil {
		return err
	}
	if w.At.IsZero() {
		w.At = time.Now()
	}
	w.At = w.At.UTC().Truncate(time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := p.c.within(ctx)
	defer cancel()
	if p.lease != clientv3.NoLease {
		_, err := p.c.etcd.KeepAliveOnce(ctx, p.lease)
		switch {
		case errors.Is(err, rpctypes.ErrLeaseNotFound):
			p.lease = clientv3.NoLease
		case err != nil:
			return p.c.failed("keep the weight of "+p.id, err)
		case p.same(&w):
			return nil
		}
	}
	return p.store(ctx, w)
}

// same reports that w need not be put.
func (p *Publisher) same(w *Weight) bool {
	trial := func(w *Weight) uint64 {
		if w.Trial == nil {
			return 0
		}
		return w.Trial.Trial
	}
	return w.Value == p.last.Value && w.Mark == p.last.Mark && trial(w) == trial(&p.last) && time.Since(p.put) < WeightRefresh
}

// store puts w, on a new lease if there is none.
func (p *Publisher) store(ctx context.Context, w Weight) error {
	value, err := json.Marshal(&w)
	if err != nil {
		return fmt.Errorf("%w: node %q: inputs: %w", ErrMember, p.id, err)
	}
	if p.lease == clientv3.NoLease {
		grant, err := p.c.etcd.Grant(ctx, int64(WeightTTL/time.Second))
		if err != nil {
			return p.c.failed("lease for the weight of "+p.id, err)
		}
		p.lease = grant.ID
	}
	key := p.c.keys.weight(p.id)
	resp, err := p.c.etcd.Txn(ctx).If(p.c.ours()).Then(clientv3.OpPut(key, string(value), clientv3.WithLease(p.lease))).
		Else(clientv3.OpGet(p.c.keys.cluster())).Commit()
	if err != nil {
		p.put = time.Time{} // whether it was put is not known
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			p.lease = clientv3.NoLease
		}
		return p.c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		return p.c.identityOf(ctx, resp.Responses[0].GetResponseRange())
	}
	p.last, p.put = w, time.Now()
	return nil
}

// Close takes the weight back.
func (p *Publisher) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lease != clientv3.NoLease {
		p.c.revoke(context.Background(), p.lease)
		p.lease = clientv3.NoLease
	}
}

// randomToken returns 26 random characters.
func randomToken() string { return rand.Text() }
