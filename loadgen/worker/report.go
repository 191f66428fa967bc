package worker

import (
	"context"
	"fmt"
	"time"

	"roost/loadgen/link"
)

// progressEach is how often a worker says where it is: what ends a phase is
// noticed so much later.
const progressEach = 100 * time.Millisecond

// report sends progress, and a tick at each multiple of the interval of the
// run's clock, so that those of all workers are of the same time, and each has
// what was counted in an interval whatever its length.
func (w *worker) report(ctx context.Context) {
	interval := int64(w.scenario.Measure.Interval)
	if interval <= 0 {
		interval = int64(time.Second)
	}
	// The first says what the process is without a connection.
	now := w.parts.Clock.Now()
	err := w.say(true, now)
	last := now / interval
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for err == nil {
		timer.Reset(time.Duration(nextReport(now, interval) - w.parts.Clock.Now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now = w.parts.Clock.Now()
		slot := now / interval
		err = w.say(slot > last, slot*interval)
		last = max(last, slot)
	}
	w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
}

// nextReport is the instant of the report after one at now: when progress is
// due, or before that at the end of the interval.
func nextReport(now, interval int64) int64 {
	return min(now+int64(progressEach), (now/interval+1)*interval)
}

// say sends progress, and a tick if it is time.
func (w *worker) say(tick bool, at int64) error {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	progress := w.swarm.Progress()
	if err := w.link.Send(&link.Message{Progress: &progress}); err != nil || !tick {
		return err
	}
	t := w.tick(at, false)
	return w.link.Send(&link.Message{Tick: &t})
}
