package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
)

// Identity is who a cluster is. Both are 1 to 255 bytes of UTF-8 without control
// characters.
type Identity struct {
	ID          string `json:"id"`
	Environment string `json:"environment"` // production, staging ...: decay/dawn refuses another
}

func (i Identity) check() error {
	for _, f := range []struct{ name, value string }{{"id", i.ID}, {"environment", i.Environment}} {
		if err := (&ring.Node{ID: f.value}).CheckTexts(); err != nil {
			return fmt.Errorf("%w: cluster %s %q: 1 to %d bytes of UTF-8 without control characters", ErrOptions, f.name, f.value, ring.MaxName)
		}
	}
	return nil
}

// encode returns the value of the cluster key. It is compared as a whole, so it
// has one spelling.
func (i Identity) encode() string {
	b, err := json.Marshal(i)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return string(b)
}

// Identify takes the prefix for this cluster if nobody has it, and returns
// ErrOtherCluster if it belongs to another, ErrAccess if etcd lets nobody in who is set
// up so. A cluster whose etcd has lost its data takes it again.
func (c *Client) Identify(caller context.Context) error {
	ctx, cancel := c.within(caller)
	defer cancel()
	key := c.keys.cluster()
	resp, err := c.etcd.Txn(ctx).If(absent(key)).
		Then(clientv3.OpPut(key, c.mark), clientv3.OpPut(c.keys.history(), randomToken())).
		Else(clientv3.OpGet(key)).Commit()
	switch {
	case err != nil:
		return c.explained(caller, "identify cluster "+c.id.ID, err)
	case resp.Succeeded:
		return nil
	}
	return c.sameIn(resp.Responses[0].GetResponseRange())
}

// Known returns nil if the prefix belongs to this cluster, ErrOtherCluster if it
// is another's, and ErrNoCluster if it is nobody's. Unlike Identify it takes
// nothing: it is for who looks, and may have misspelt the prefix.
func (c *Client) Known(caller context.Context) error {
	ctx, cancel := c.within(caller)
	defer cancel()
	resp, err := c.etcd.Get(ctx, c.keys.cluster())
	if err != nil {
		return c.explained(caller, "look for cluster "+c.id.ID, err)
	}
	if kv := only(resp.Kvs); kv != nil {
		return c.sameCluster(string(kv.Value))
	}
	return fmt.Errorf("%w: %s at etcd %v: is it the right prefix, and has a node ever started there?", ErrNoCluster, c.keys.prefix, c.o.Endpoints)
}

// sameCluster returns ErrOtherCluster unless value is ours.
func (c *Client) sameCluster(value string) error {
	if value == c.mark {
		return nil
	}
	var other Identity
	if err := json.Unmarshal([]byte(value), &other); err != nil {
		return fmt.Errorf("%w: %s holds %.100q, which is no cluster's: give this cluster (%q, %q) another prefix",
			ErrOtherCluster, c.keys.cluster(), value, c.id.ID, c.id.Environment)
	}
	return fmt.Errorf("%w: %s is cluster %q, environment %q, and this is cluster %q, environment %q: give one of them another prefix, or mend the cluster id",
		ErrOtherCluster, c.keys.prefix, other.ID, other.Environment, c.id.ID, c.id.Environment)
}

// sameIn returns an error unless a read of the cluster key found ours.
func (c *Client) sameIn(found *etcdserverpb.RangeResponse) error {
	if kv := only(found.GetKvs()); kv != nil {
		return c.sameCluster(string(kv.Value))
	}
	return fmt.Errorf("%w: %s is not there", ErrOtherCluster, c.keys.cluster())
}

// ours is the comparison that each write makes.
func (c *Client) ours() clientv3.Cmp {
	return clientv3.Compare(clientv3.Value(c.keys.cluster()), "=", c.mark)
}

// absent compares that a key does not exist, present that it does.
func absent(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
}

func present(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(key), ">", 0)
}

// at compares that a key was put last at a revision; 0 is that it does not exist.
func at(key string, revision int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(key), "=", revision)
}

// identityOf says why a write was refused that compared the identity and found
// this: another cluster's, or none, which is put again so that the next try works.
func (c *Client) identityOf(ctx context.Context, found *etcdserverpb.RangeResponse) error {
	if kv := only(found.GetKvs()); kv != nil {
		if err := c.sameCluster(string(kv.Value)); err != nil {
			return err
		}
	}
	if err := c.Identify(ctx); err != nil {
		return err
	}
	return fmt.Errorf("%s was gone and has been put again: try again", c.keys.cluster())
}
