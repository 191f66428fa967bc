package cluster

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Past returns the pointer and those before it, the newest first, most of them at most. etcd knows them until
// it is compacted, or somebody deletes the key; one that cannot be read ends the list, too. Errors
// are etcd's.
func (v *Versions) Past(ctx context.Context, most int) (past []Pointer, err error) {
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	for at := int64(0); len(past) < most; {
		resp, err := v.c.etcd.Get(ctx, v.c.keys.active(), clientv3.WithRev(at))
		if errors.Is(err, rpctypes.ErrCompacted) {
			return past, nil
		}
		if err != nil {
			return past, v.c.failed("read an older ring pointer", err)
		}
		kv := only(resp.Kvs)
		if kv == nil {
			return past, nil
		}
		p, err := decodePointer(kv.Value, kv.ModRevision)
		if err != nil {
			return past, nil
		}
		past, at = append(past, p), kv.ModRevision-1
		if kv.Version == 1 {
			return past, nil // the key was made then
		}
	}
	return past, nil
}
