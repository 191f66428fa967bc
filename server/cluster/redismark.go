package cluster

import (
	"context"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// RedisMark returns the mark of the data in Redis that belong to this cluster: a name that
// was made at random once, and is in etcd and in Redis. Where etcd has none, proposed, what
// Redis has, or a new one, is put. Two Redis that were given to clusters of one name differ
// in it. Errors are ErrOtherCluster, and etcd's.
func (c *Client) RedisMark(ctx context.Context, proposed string) (string, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	key := c.keys.redis()
	resp, err := c.etcd.Txn(ctx).If(c.ours(), absent(key)).Then(clientv3.OpPut(key, proposed)).
		Else(clientv3.OpGet(c.keys.cluster()), clientv3.OpGet(key)).Commit()
	switch {
	case err != nil:
		return "", c.failed("name the data in Redis", err)
	case resp.Succeeded:
		return proposed, nil
	}
	return c.markOf(ctx, resp.Responses[0].GetResponseRange(), resp.Responses[1].GetResponseRange())
}

// markOf reads what RedisMark has found.
func (c *Client) markOf(ctx context.Context, whose, mark *etcdserverpb.RangeResponse) (string, error) {
	id := only(whose.GetKvs())
	kv := only(mark.GetKvs())
	if id == nil || kv == nil || string(id.Value) != c.mark {
		return "", c.identityOf(ctx, whose)
	}
	return string(kv.Value), nil
}
