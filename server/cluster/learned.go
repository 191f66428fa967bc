package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Learned is what a node's weight has come to by its load, apart from drains, nights and pins. It is kept in
// etcd beyond the node's life, so that a restart does not begin with the capacity again: that would be a version that
// moves devices, and an hour of steps until it is where it was.
type Learned struct {
	// Relative is the weight over the capacity; of Capacity devices, on so many Cores. On another
	// machine it says nothing.
	Relative float64 `json:"relative"`
	Capacity float64 `json:"capacity"`
	Cores    int     `json:"cores"`
}

// LearnedTTL is how long it is kept after the node was heard last, in whole seconds: three steps of a
// weight, each 10 minutes after the one before (server/member). What is older, as many steps teach again; and meanwhile
// the others have learned weights without this node. It is the time of a lease, so no clock is compared.
const LearnedTTL = 30 * time.Minute

// Learned returns what a node had learned when it was heard last, within LearnedTTL; ok is false where that is
// nothing. Errors are ErrDamaged, or etcd's.
func (c *Client) Learned(ctx context.Context, id string) (l Learned, ok bool, err error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.etcd.Get(ctx, c.keys.learned(id))
	if err != nil {
		return l, false, c.failed("read what "+id+" has learned", err)
	}
	kv := only(resp.Kvs)
	if kv == nil {
		return l, false, nil
	}
	err = decode("what "+id+" has learned", kv.Value, maxMember, &l)
	return l, err == nil, err
}

// Learn keeps what the node has learned for LearnedTTL from now. It is put only where it has changed;
// else its lease is kept alive, which no other node hears of. Errors are ErrOtherCluster, or etcd's; the next call tries again.
func (p *Publisher) Learn(ctx context.Context, l Learned) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := p.c.within(ctx)
	defer cancel()
	if p.long != clientv3.NoLease {
		_, err := p.c.etcd.KeepAliveOnce(ctx, p.long)
		switch {
		case errors.Is(err, rpctypes.ErrLeaseNotFound):
			p.long = clientv3.NoLease
		case err != nil:
			return p.c.failed("keep what "+p.id+" has learned", err)
		case l == p.learned:
			return nil
		}
	}
	if p.long == clientv3.NoLease {
		grant, err := p.c.etcd.Grant(ctx, int64(LearnedTTL/time.Second))
		if err != nil {
			return p.c.failed("lease for what "+p.id+" has learned", err)
		}
		p.long, p.learned = grant.ID, Learned{}
	}
	value, err := json.Marshal(&l)
	if err != nil {
		return fmt.Errorf("%w: node %q: learned: %w", ErrMember, p.id, err)
	}
	key := p.c.keys.learned(p.id)
	resp, err := p.c.etcd.Txn(ctx).If(p.c.ours()).Then(clientv3.OpPut(key, string(value), clientv3.WithLease(p.long))).
		Else(clientv3.OpGet(p.c.keys.cluster())).Commit()
	if err != nil {
		return p.c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		return p.c.identityOf(ctx, resp.Responses[0].GetResponseRange())
	}
	p.learned = l
	return nil
}
