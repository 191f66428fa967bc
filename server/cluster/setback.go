package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An etcd that is set back to a backup of its own data has the history that it had, and
// smaller revisions. A watch that goes on there waits for revisions that are to come, and
// later takes what is put under numbers that it has seen for old. Whoever holds an activation
// takes the pointers of the backup for late ones.
//
// So who finds a revision below one that it has seen begins a new history, as if etcd had lost
// its data: all watchers look at the history, also those that come too late to see a smaller
// revision. The pointer is put again under it, with the time of now: between two
// histories the younger pointer counts (ringmirror).
//
// Answers are compared with what was seen before they were asked for, and only those of
// linearizable reads: a watch may be held by a member of etcd that is behind the others.

var errSetBack = errors.New("etcd has been set back to older data")

// began is what a list has read of the history that it is of.
type began struct {
	history, pointer *mvccpb.KeyValue // nil: not there
}

// anew begins a new history in the place of one, unless somebody else has. The error says so in
// both cases: what was read is of the past.
func (c *Client) anew(ctx context.Context, b began, seen, now int64) error {
	k, revision, pointed := c.keys, int64(0), int64(0)
	puts := []clientv3.Op{clientv3.OpPut(k.history(), randomToken())}
	if b.history != nil {
		revision = b.history.ModRevision
	}
	if b.pointer != nil {
		pointed = b.pointer.ModRevision
		// One that cannot be read stays as it is: somebody has to look at it.
		if p, err := decodePointer(b.pointer.Value, pointed); err == nil {
			p.At = time.Now().UTC().Truncate(time.Millisecond)
			if value, err := p.encode(); err == nil {
				puts = append(puts, clientv3.OpPut(k.active(), value))
			}
		}
	}
	_, err := c.etcd.Txn(ctx).If(c.ours(), at(k.history(), revision), at(k.active(), pointed)).Then(puts...).Commit()
	if err != nil {
		return c.failed("begin a new history in "+k.history(), err)
	}
	return fmt.Errorf("%w: from revision %d to %d: a new history begins", errSetBack, seen, now)
}
