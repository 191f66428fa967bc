package bench

import (
	"context"
	"fmt"

	"roost/bench/stats"
	"roost/loadgen/result"
)

// idle measures the memory of idle devices with a store on disk.
func (x *keptRun) idle(ctx context.Context) error {
	count := 15_000 / x.scale
	var results []*result.Result
	for round := range x.opt.Rounds {
		r, err := x.idleRound(ctx, round, count)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	// Other work does not move memory, so all rounds count.
	value := func(format string, of func(r *result.Result) float64) string {
		var v []float64
		for _, r := range results {
			v = append(v, of(r))
		}
		return text(stats.Summarize(v), format)
	}
	x.printf("\n## Idle devices, store on disk\n\nSettled resident size at three counts up to %d connected devices with heartbeats; target 300 B, 168 B before there were kept messages.\n\n", count)
	x.printf("| slope, B per device | last less empty, B per device | empty node, MB | generator, B per device |\n|---|---|---|---|\n| **%s** | %s | %s | %s |\n",
		value("%.0f", func(r *result.Result) float64 { return slope(r, rss) }), value("%.0f", settledEach),
		value("%.1f", func(r *result.Result) float64 { return float64(r.Servers[0].Before.RSS) / 1e6 }),
		value("%.0f", func(r *result.Result) float64 { return r.Workers[0].UserPerConn }))
	return nil
}

// settledEach is what resident memory grew by up to the last phase, for each
// connection.
func settledEach(r *result.Result) float64 {
	last := r.Phases[len(r.Phases)-1]
	return float64(last.Servers[0].RSS-r.Servers[0].Before.RSS) / float64(last.Connected)
}

// idleRound connects devices to a fresh node.
func (x *keptRun) idleRound(ctx context.Context, round, count int) (r *result.Result, err error) {
	v, err := x.start(ctx, "file", "")
	if err != nil {
		return nil, err
	}
	defer func() { err = stopped(err, v) }()
	r, err = x.gen.scenario(ctx, fmt.Sprintf("round%d-idle", round+1), v, "idle.yaml", []string{param("count", count), param("settle", x.opt.Settle)})
	fmt.Fprintf(x.out, "round %d  idle\n", round+1)
	return r, err
}
