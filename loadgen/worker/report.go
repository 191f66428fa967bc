package worker

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"roost/loadgen/link"
)

// progressEach is how often a worker says where it is, if there are no more of
// them than processors, and mostProgress if there are many more: what ends a phase
// is noticed so much later.
const progressEach, mostProgress = 100 * time.Millisecond, 500 * time.Millisecond

// report sends progress, and a tick at each multiple of the interval of the
// run's clock, so that those of all workers are of the same time, and each has
// what was counted in an interval whatever its length.
func (w *worker) report(ctx context.Context) {
	interval := int64(w.scenario.Measure.Interval)
	if interval <= 0 {
		interval = int64(time.Second)
	}
	each := min(progressEach*time.Duration(max(w.plan.Here/runtime.NumCPU(), 1)), mostProgress)
	stagger := int64(staggered(time.Duration(interval), w.plan.Index, w.plan.Here, runtime.NumCPU()))
	// The first says what the process is without a connection.
	now := w.parts.Clock.Now()
	err := w.say(true, now)
	last := now / interval
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for err == nil {
		next := nextReport(now, interval, each)
		if due := last*interval + stagger; w.waits() && due < next {
			next = due
		}
		timer.Reset(time.Duration(next - w.parts.Clock.Now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now = w.parts.Clock.Now()
		slot := now / interval
		if slot == last && w.waits() && now >= last*interval+stagger {
			err = w.release()
			continue
		}
		err = w.say(slot > last, slot*interval)
		last = max(last, slot)
	}
	w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
}

// staggered is how long after the end of an interval this worker sends what it
// counted. Where many share a processor, all at once would keep it from everything
// else: 54 ticks are 0.4 s of two cores. It is under a quarter of the interval.
func staggered(interval time.Duration, index, here, cores int) time.Duration {
	if here <= max(cores, 1) {
		return 0
	}
	return interval / 4 * time.Duration(index) / time.Duration(here)
}

// nextReport is the instant of the report after one at now: when progress is
// due, or before that at the end of the interval.
func nextReport(now, interval int64, each time.Duration) int64 {
	return min(now+int64(each), (now/interval+1)*interval)
}

// say sends progress, and takes a tick if it is time, which is sent at once or
// waits for its own.
func (w *worker) say(tick bool, at int64) error {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	progress := w.swarm.Progress()
	if err := w.link.Send(&link.Message{Progress: &progress}); err != nil || !tick {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	t := w.tick(at, false)
	w.unsent = &t
	if w.plan.Index > 0 && w.plan.Here > runtime.NumCPU() {
		return nil
	}
	return w.flush()
}

// waits reports whether a tick is still to be sent.
func (w *worker) waits() bool {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	return w.unsent != nil
}

// release sends the tick that waits.
func (w *worker) release() error {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	return w.flush()
}

// flush sends the tick that waits, if there is one. The caller holds reporting.
func (w *worker) flush() error {
	if w.unsent == nil {
		return nil
	}
	t := w.unsent
	w.unsent = nil
	return w.link.Send(&link.Message{Tick: t})
}
