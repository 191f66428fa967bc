package member

import (
	"context"
	"errors"
	"time"

	"roost/server/cluster"
)

// learnEvery is how often what does not change is said to be so still: cluster.LearnedTTL is counted from then.
const learnEvery = time.Minute

// learning is what a node's weight has come to, kept for its next life. It is the weightLoop's, under its mutex.
type learning struct {
	recalled bool // etcd has said what the former life had learned; until then nothing is put in its place
	now      cluster.Learned
	kept     cluster.Learned
	keptAt   time.Time
}

// recall has the weight begin with what the node's former life had learned, as soon as etcd says it. Before
// that no weight is published either, so it is not late.
func (l *weightLoop) recall(ctx context.Context) {
	if l.learning.recalled {
		return
	}
	was, ok, err := l.n.client.Learned(ctx, l.n.o.ID)
	if err != nil && !errors.Is(err, cluster.ErrDamaged) {
		return
	}
	l.learning.recalled = true
	capacity := l.j.Member.Capacity
	if capacity == 0 {
		capacity = l.j.Plan.Unit
	}
	if set := l.w.p.Settings(); !ok || was.Capacity != capacity || was.Cores != l.j.Cores || !(was.Relative >= set.Min && was.Relative <= set.Max) {
		return
	}
	l.w.begin = was.Relative
	if was.Relative != 1 {
		l.n.o.Log.Info("the weight begins with what load had made of it before", "node", l.n.o.ID, "of_capacity", was.Relative)
	}
}

// learn keeps what the weight has come to, where that is news or has not been said for learnEvery.
func (l *weightLoop) learn(ctx context.Context, now time.Time) error {
	k := &l.learning
	if !k.recalled || k.now == k.kept && now.Sub(k.keptAt) < learnEvery {
		return nil
	}
	if err := l.publisher.Learn(ctx, k.now); err != nil {
		return err
	}
	k.kept, k.keptAt = k.now, now
	return nil
}
