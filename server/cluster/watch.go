package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// WatchOptions are the times of a Watcher. The zero value of each is its default.
type WatchOptions struct {
	// Silence is how long etcd may say nothing until the view is marked Stale and
	// listed anew; default 6 s. A third of it is how often etcd is asked for a sign.
	Silence time.Duration
	// Window and Look are the guard's: departures within Window (default 10 s, the
	// TTL of registrations) count together, and where they are more than half of
	// the members a list Look later (default 3 s) has to confirm them.
	Window, Look time.Duration
	// Stages is told how long Capture takes.
	Stages StageFunc
}

func (o *WatchOptions) setDefaults() error {
	for _, f := range []struct {
		name string
		d    *time.Duration
		def  time.Duration
	}{{"silence", &o.Silence, 6 * time.Second}, {"window", &o.Window, DefaultTTL}, {"look", &o.Look, 3 * time.Second}} {
		if *f.d == 0 {
			*f.d = f.def
		}
		if *f.d < 10*time.Millisecond {
			return fmt.Errorf("%w: watch: a %s of %v: at least 10ms", ErrOptions, f.name, *f.d)
		}
	}
	return nil
}

// Watcher keeps a View of the cluster. Any number of goroutines may read it.
type Watcher struct {
	// Static after Watch.
	c      *Client
	o      WatchOptions
	gset   guardSettings
	cancel context.CancelFunc
	done   chan struct{}

	// Owned by run.
	raw     *View  // what etcd says, nobody held
	history string // of etcd's data: another one where it has lost them
	guard   guard
	retry   retry

	view  atomic.Pointer[View]
	lists atomic.Int64
	subs  subscriptions
}

// Watch begins to keep a view, until Close. It returns at once: Ready waits for
// the first list. Errors are ErrOptions.
func (c *Client) Watch(o WatchOptions) (*Watcher, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{c: c, o: o, gset: guardSettings{o.Window, o.Look}, cancel: cancel, done: make(chan struct{}), raw: &View{}}
	w.view.Store(&View{Stale: time.Now()})
	go w.run(ctx)
	return w, nil
}

// View returns the newest view; never nil. Before the first list its Revision is
// 0 and it is Stale.
func (w *Watcher) View() *View { return w.view.Load() }

// Lists returns how often everything was listed: once at the start, and then
// whenever a watch had ended or a second look was due.
func (w *Watcher) Lists() int64 { return w.lists.Load() }

// Subscribe returns a subscription to new views; its owner closes it.
func (w *Watcher) Subscribe() *Subscription { return w.subs.add() }

// Wait returns the first view for which ok is true, or ctx's error.
func (w *Watcher) Wait(ctx context.Context, ok func(*View) bool) (*View, error) {
	sub := w.Subscribe()
	defer sub.Close()
	for {
		if v := w.View(); ok(v) {
			return v, nil
		}
		select {
		case <-sub.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ready waits for the first list.
func (w *Watcher) Ready(ctx context.Context) error {
	if _, err := w.Wait(ctx, func(v *View) bool { return v.Revision > 0 }); err != nil {
		return fmt.Errorf("no view of the cluster yet: etcd %v: %w", w.c.o.Endpoints, err)
	}
	return nil
}

// Close ends the watcher. The last view stays.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
}

// run lists and follows, for ever.
func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		begin := time.Now()
		err := w.list(ctx)
		if err == nil {
			err = w.follow(ctx)
			// A watch that lasts was no failure; one that ends at once is.
			if time.Since(begin) > mostBackoff {
				w.retry.n = 0
			}
		}
		if ctx.Err() != nil {
			return
		}
		w.stale()
		w.c.note("watch", err)
		pause(ctx, w.retry.next(), nil)
	}
}

// list reads everything at one revision and puts it in the place of the view.
func (w *Watcher) list(ctx context.Context) error {
	begin := time.Now()
	ctx, cancel := w.c.within(ctx)
	defer cancel()
	k, prefix := w.c.keys, clientv3.WithPrefix()
	resp, err := w.c.etcd.Txn(ctx).If(w.c.ours()).Then(
		clientv3.OpGet(k.nodes(), prefix), clientv3.OpGet(k.weights(), prefix), clientv3.OpGet(k.active()), clientv3.OpGet(k.config(), prefix),
		clientv3.OpGet(k.history()), clientv3.OpGet(k.zones()),
	).Else(clientv3.OpGet(k.cluster())).Commit()
	if err != nil {
		return w.c.failed("list the cluster", err)
	}
	if !resp.Succeeded {
		return w.c.identityOf(ctx, resp.Responses[0].GetResponseRange())
	}
	d, history := empty(w.View(), k), ""
	var b began
	for _, r := range resp.Responses {
		for _, kv := range r.GetResponseRange().GetKvs() {
			switch string(kv.Key) {
			case k.history():
				history, b.history = string(kv.Value), kv
			case k.active():
				b.pointer = kv
			}
			d.put(kv)
		}
	}
	d.Revision = resp.Header.GetRevision()
	if seen := w.raw.Revision; d.Revision < seen && history == w.history {
		return w.c.anew(ctx, b, seen, d.Revision)
	}
	w.history = history
	w.lists.Add(1)
	w.show(d, true, begin)
	return nil
}

// show makes a view of what etcd says and lets readers see it.
func (w *Watcher) show(d *draft, list bool, arrived time.Time) {
	last, raw := w.View(), &d.View
	w.raw = raw
	next := *raw
	if list || d.copied[copyMembers] {
		w.guard, next.Members = w.guard.look(last.Members, raw.Members, list, time.Now(), w.gset)
	} else {
		next.Members = last.Members // most events are of weights
	}
	next.Held = w.guard.times()
	next.Stale, next.arrived, next.History = time.Time{}, arrived, w.history
	w.view.Store(&next)
	w.o.Stages.took(Capture, time.Since(arrived))
	w.subs.wake()
}

// stale marks the view as of the past, if it is not yet.
func (w *Watcher) stale() {
	last := w.View()
	if !last.Stale.IsZero() {
		return
	}
	next := *last
	next.Stale = time.Now()
	w.view.Store(&next)
	w.subs.wake()
}

var (
	errSilent   = errors.New("no sign of life from etcd")
	errClosed   = errors.New("the watch was closed")
	errHistory  = errors.New("etcd has lost its data and begun anew, or events are missing")
	errIdentity = errors.New("somebody has touched the identity of the cluster")
)

// follow watches from the view's revision on, until the watch ends or is silent.
// One watch for all keys gives one order.
func (w *Watcher) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	// Watch itself waits for etcd, which may hang just then.
	var events clientv3.WatchChan
	opened, from := make(chan clientv3.WatchChan, 1), w.raw.Revision+1
	beside.Go(func() {
		opened <- w.c.etcd.Watch(ctx, w.c.keys.all(), clientv3.WithPrefix(), clientv3.WithRev(from), clientv3.WithPrevKV())
	})
	anew, history := make(chan struct{}), w.history
	beside.Go(func() { w.probe(ctx, history, anew) })
	silence := time.NewTimer(w.o.Silence)
	defer silence.Stop()
	for {
		look := w.lookTimer()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-silence.C:
			return fmt.Errorf("%w for %v", errSilent, w.o.Silence)
		case events = <-opened:
		case <-anew:
			return errHistory
		case <-look:
			if err := w.list(ctx); err != nil {
				return fmt.Errorf("second look: %w", err)
			}
		case r, ok := <-events:
			if !ok {
				return errClosed
			}
			if err := w.take(&r); err != nil {
				return err
			}
			silence.Reset(w.o.Silence)
		}
	}
}

// lookTimer returns a channel on which the second look comes, nil if none is due.
func (w *Watcher) lookTimer() <-chan time.Time {
	at := w.guard.due(w.gset)
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// take takes what a watch has brought.
func (w *Watcher) take(r *clientv3.WatchResponse) error {
	begin := time.Now()
	if err := r.Err(); err != nil {
		return fmt.Errorf("watch (compacted up to %d): %w", r.CompactRevision, err)
	}
	if len(r.Events) == 0 {
		return nil // a sign of life
	}
	for _, e := range r.Events {
		if string(e.Kv.Key) == w.c.keys.cluster() && e.Kv.ModRevision > w.raw.Revision {
			return errIdentity // the list looks at it
		}
	}
	d := from(w.raw, w.c.keys)
	d.apply(r.Events)
	if d.Revision > w.raw.Revision {
		w.show(d, false, begin)
	}
	return nil
}

// probe asks for a sign of life, again and again: without it a watch whose servers
// are all gone is silent for ever. It closes anew if etcd has another history than
// the view, or a smaller revision: a watch that is taken up on it would wait for revisions to come. It
// does so too if the pointer has been another one than the view's twice in a row:
// etcd before 3.4.25 tells of progress ahead of the events it has still to send
// (etcd issue 15220), and a client that reconnects then goes on behind them.
func (w *Watcher) probe(ctx context.Context, history string, anew chan<- struct{}) {
	missed := false
	for pause(ctx, w.o.Silence/3, nil) {
		asked, cancel := context.WithTimeout(ctx, w.o.Silence/3)
		_ = w.c.etcd.RequestProgress(asked) // silence says it
		cancel()
		seen := w.View().Revision // before etcd is asked
		now, pointer, revision, err := w.signs(ctx)
		if err != nil {
			continue
		}
		v := w.View()
		other := pointer != v.Pointer.Activation && v.Refused[w.c.keys.active()] == nil
		if now != history || revision < seen || missed && other {
			close(anew)
			return
		}
		missed = other
	}
}

// signs reads what a view is compared with: the history, the revision of the
// pointer, and etcd's.
func (w *Watcher) signs(ctx context.Context) (history string, pointer, revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Silence/3)
	defer cancel()
	k := w.c.keys
	resp, err := w.c.etcd.Txn(ctx).Then(clientv3.OpGet(k.history()), clientv3.OpGet(k.active(), clientv3.WithKeysOnly())).Commit()
	if err != nil {
		return "", 0, 0, err
	}
	if kv := only(resp.Responses[0].GetResponseRange().GetKvs()); kv != nil {
		history = string(kv.Value)
	}
	if kv := only(resp.Responses[1].GetResponseRange().GetKvs()); kv != nil {
		pointer = kv.ModRevision
	}
	return history, pointer, resp.Header.GetRevision(), nil
}
