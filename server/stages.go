package server

import (
	"context"
	"runtime/trace"
	"time"

	"roost/server/cluster"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/metrics"
)

// Stages of a publish: indexes of metrics.PublishStages. The same are regions of
// runtime/trace, in a task for each publish, while a trace is taken.
const (
	stageKey   = iota // the commit is made of the request
	stageRedis        // the store has it: what waits before it included
	stageRoute        // lanes and other nodes have taken it; of live messages all of it
)

// stageTimes are when the stages of a publish that is stored ended. They are written by
// who ends the stage, and read after stored.done is closed.
type stageTimes struct {
	made, kept, routed time.Time
	committed          chan struct{} // closed when it is stored; nil unless a trace is taken
}

// stored notes that the store has the commit.
func (t *stageTimes) stored() {
	t.kept = time.Now()
	if t.committed != nil {
		close(t.committed)
	}
}

// stages measures one publish.
type stages struct {
	s      *Server
	began  time.Time
	task   *trace.Task // nil: no trace is taken
	region *trace.Region
}

// beginStages begins to measure a publish.
func (s *Server) beginStages(ctx context.Context) (context.Context, stages) {
	st := stages{s: s, began: time.Now()}
	if trace.IsEnabled() {
		ctx, st.task = trace.NewTask(ctx, "publish")
		st.next(ctx, stageKey)
	}
	return ctx, st
}

// next ends the region under way and begins another one.
func (st *stages) next(ctx context.Context, stage int) {
	if st.task == nil {
		return
	}
	if st.region != nil {
		st.region.End()
	}
	st.region = trace.StartRegion(ctx, metrics.PublishStages[stage])
}

// collected ends the stage key: k is about to be stored. nil: nothing is.
func (st *stages) collected(ctx context.Context, k *stored) {
	if k == nil {
		st.next(ctx, stageRoute)
		return
	}
	k.times.made = time.Now()
	st.s.metrics.PublishStage(stageKey, k.times.made.Sub(st.began))
	if st.task != nil {
		k.times.committed = make(chan struct{})
	}
	st.next(ctx, stageRedis)
}

// await waits for the end of what is stored, and of its stages.
func (st *stages) await(ctx context.Context, k *stored) error {
	if k.times.committed != nil {
		select {
		case <-k.times.committed:
			st.next(ctx, stageRoute)
		case <-k.done: // it could not be stored
		case <-ctx.Done():
		}
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if t := &k.times; k.commit.Err == nil {
		st.s.metrics.PublishStage(stageRedis, t.kept.Sub(t.made))
		st.s.metrics.PublishStage(stageRoute, t.routed.Sub(t.kept))
		k.delivered(t.routed.Sub(st.began))
	}
	return nil
}

// delivered notes how long it took until sockets of devices here had their messages: for
// the node's weight, and for a ring on trial.
func (k *stored) delivered(took time.Duration) {
	for i := range k.puts {
		p := &k.puts[i]
		if p.Verdict != inbox.Stored || p.Outcome != uint8(delivery.StatusWritten) {
			continue
		}
		k.s.latency.took(took)
		if k.s.cluster != nil {
			k.s.cluster.mesh.CountDelivery([]byte(p.Device), took)
		}
	}
}

// end ends the task.
func (st *stages) end() {
	if st.task != nil {
		st.region.End()
		st.task.End()
	}
}

// Stage counts how long a stage of a change of rings took: a cluster.StageFunc.
func (s *Server) Stage(stage cluster.Stage, took time.Duration) {
	s.metrics.RingStage(int(stage), took)
}
