package measure

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"roost/bench/ringpeers/internal/subject"
	"roost/bench/ringpeers/internal/timing"
	"roost/ring"
)

// enough is how long the timed runs of a subject's turn in a round last at most,
// if there was one.
const enough = 60 * time.Millisecond

// runsPerTurn is how many runs count in a turn at most.
const runsPerTurn = 10

// builder is a subject whose builds and changes are timed.
type builder struct {
	subject.Subject
	nodes         []subject.Node
	table         subject.Table
	changes       int
	holder        ring.Holder // where roost's rings are published
	build, change *TimeRow
}

// times times builds and changes of all subjects and weighs what they keep.
func (r *run) times(ctx context.Context) error {
	cores, err := timing.Cores()
	if err != nil {
		return err
	}
	for _, n := range r.Options.Nodes {
		var all []*builder
		floor := &TimeRow{Nodes: n, Subject: FloorCopy, What: TimeChange}
		for _, s := range subject.All() {
			if r.Options.Quick && s.SlowFrom > 0 && n >= s.SlowFrom {
				r.note("%s with %d nodes is left out: a build takes many seconds", s.Name, n)
				continue
			}
			r.say("builds of %d nodes: %s", n, s.Name)
			b, err := r.newBuilder(s, n)
			if err != nil {
				return err
			}
			all = append(all, b)
		}
		for round := range r.Options.Rounds {
			r.say("builds and changes of %d nodes: round %d of %d", n, round+1, r.Options.Rounds)
			if err := timeRound(ctx, all, floor, round, cores[round%len(cores)]); err != nil {
				return err
			}
		}
		r.Times = append(r.Times, *floor)
		for _, b := range all {
			r.Times = append(r.Times, *b.build, *b.change)
		}
	}
	return nil
}

// newBuilder builds a subject's ring for the first time, and weighs it.
func (r *run) newBuilder(s subject.Subject, n int) (*builder, error) {
	b := &builder{
		Subject: s, nodes: subject.Nodes(n),
		build:  &TimeRow{Nodes: n, Subject: s.Name, What: TimeBuild},
		change: &TimeRow{Nodes: n, Subject: s.Name, What: TimeChange},
	}
	var heap uint64
	var err error
	b.build.Allocated, _ = timing.Allocated(func() {
		b.table, heap = timing.Retained(func() (t subject.Table) {
			one := timing.Once(func() { t, err = s.New(b.nodes) })
			if b.slow() {
				b.build.Rounds = [][]timing.Single{{one}} // the only one
			}
			return t
		})
	})
	if err != nil {
		return nil, err
	}
	b.change.Allocated, _ = timing.Allocated(func() { err = errors.Join(b.changeOnce(), b.changeOnce()) })
	b.change.Allocated /= 2
	row := MemoryRow{Nodes: n, Subject: s.Name, Heap: heap}
	if t, ok := b.table.(subject.RoostRing); ok {
		row.Hot = t.TableSlots() * 2
	}
	r.Memory = append(r.Memory, row)
	return b, err
}

// slow reports a subject that is built once only.
func (b *builder) slow() bool { return b.SlowFrom > 0 && len(b.nodes) >= b.SlowFrom }

// timeRound gives every subject its turn.
func timeRound(ctx context.Context, all []*builder, floor *TimeRow, round, core int) error {
	thread, err := timing.Bind(core)
	if err != nil {
		return err
	}
	defer thread.Free()
	for _, at := range order(len(all), round) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := all[at]
		if r, ok := b.table.(subject.RoostRing); ok && b.Points == subject.PointsPerUnit && at == 0 {
			copies, err := turn(copier(r.TableSlots()))
			if err != nil {
				return err
			}
			floor.Rounds = append(floor.Rounds, copies)
		}
		if !b.slow() {
			builds, err := turn(func() error {
				_, err := b.New(b.nodes)
				return err
			})
			if err != nil {
				return err
			}
			b.build.Rounds = append(b.build.Rounds, builds)
		}
		changes, err := turn(b.changeOnce)
		if err != nil {
			return err
		}
		b.change.Rounds = append(b.change.Rounds, changes)
	}
	return nil
}

// turn times f a few times. Fresh memory costs more than what is done with it (a
// page fault for every 4 KiB: 171 us instead of 25 for a table of 512 KiB), and
// how much of it a run gets is chance. So as many runs go before, and what they
// leave is collected: the timed ones find their memory there. The first of them
// brings in the caches, and counts only if it is the only one.
func turn(f func() error) (all []timing.Single, err error) {
	timing.WithoutGC(func() {
		if all, err = runs(f, runsPerTurn+1); err != nil {
			return
		}
		runtime.GC()
		all, err = runs(f, len(all))
	})
	if len(all) > 1 {
		all = all[1:]
	}
	return all, err
}

// runs times f most times, or fewer if that takes longer than enough.
func runs(f func() error, most int) (all []timing.Single, err error) {
	began := time.Now()
	for len(all) < most && err == nil && (len(all) == 0 || time.Since(began) < enough) {
		all = append(all, timing.Once(func() { err = f() }))
	}
	return all, err
}

// changeOnce changes one node: its weight by 10 %, up and the next time down
// again, or where there are no weights it leaves, and comes back. Roost's ring is
// published too.
func (b *builder) changeOnce() (err error) {
	node := b.nodes[b.changes/2*7%len(b.nodes)]
	up := b.changes%2 == 0
	b.changes++
	c := subject.Change{Set: &node}
	switch {
	case up && b.Weighted:
		node.Weight = 1.1
	case up:
		c = subject.Change{Remove: node.Name}
	}
	if b.table, err = b.Next(b.table, c, c.After(b.nodes)); err != nil {
		return err
	}
	if r, ok := b.table.(subject.RoostRing); ok {
		b.holder.Store(ring.NewRoutes(r.Ring, nil, 0))
	}
	return nil
}

// copier returns what copies a table.
func copier(slots int) func() error {
	table := make([]ring.Index, slots)
	return func() error {
		runtime.KeepAlive(slices.Clone(table))
		return nil
	}
}
