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
// run's clock, so that those of all workers are of the same time.
func (w *worker) report(ctx context.Context) {
	interval := int64(w.scenario.Measure.Interval)
	if interval <= 0 {
		interval = int64(time.Second)
	}
	next := time.NewTicker(progressEach)
	defer next.Stop()
	// The first says what the process is without a connection.
	if err := w.say(true, w.parts.Clock.Now()); err != nil {
		w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
		return
	}
	last := w.parts.Clock.Now() / interval
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		slot := w.parts.Clock.Now() / interval
		if err := w.say(slot > last, slot*interval); err != nil {
			w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
			return
		}
		last = max(last, slot)
	}
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
