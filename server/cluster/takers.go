package cluster

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Two operators who each look whether enough nodes are left, and then order, may together leave none. So what takes a node
// away from those that take devices, a drain or a pin of 0, is put only if no other such order has been given since
// the view that it was decided by.

// Takes reports whether a member takes devices: it is there, nobody drains it or has pinned its weight to 0, and it
// publishes more than 0, or nothing yet.
func (v *View) Takes(id string) bool {
	if _, drains, _ := DrainOf(v, id); drains || !v.Has(id) {
		return false
	}
	pins, _ := PinsOf(v)
	if pin, pinned := pins[id]; pinned && pin.Weight == 0 {
		return false
	}
	w, published := v.Weights[id]
	return !published || w.Value > 0
}

// unchanged compares that nobody has asked for a drain, or changed a pin, since a view. A drain that was stopped
// since only leaves more nodes.
func (c *Client) unchanged(v *View) []clientv3.Cmp {
	return []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(c.keys.config()+inDrains), "<", v.Revision+1).WithPrefix(),
		clientv3.Compare(clientv3.ModRevision(c.keys.config()+pinConfig), "<", v.Revision+1),
	}
}

// StartIf is Start, decided by a view: if nobody has asked for another drain or changed a pin since, and the nodes in stay,
// which are left to take devices, are still members; else ErrMoved.
func (d *Drains) StartIf(ctx context.Context, v *View, node string, wish Drain, stay ...string) (Drain, error) {
	only := d.c.unchanged(v)
	for _, id := range stay {
		only = append(only, present(d.c.keys.node(id)))
	}
	return d.start(ctx, node, wish, only)
}
