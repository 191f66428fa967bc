package bench

import (
	"context"
	"fmt"
	"time"

	"roost/loadgen/result"
)

// castRate is broadcasts a second: each, with its acknowledgements, is over
// before the next.
const castRate = 1

// castWait is how long a publisher waits for the acknowledgements of all.
const castWait = 20 * time.Second

// castRow is one load of broadcasts.
type castRow struct{ kind, protocol string }

func (r castRow) name() string { return "cast-" + r.kind + "-" + r.protocol }

// broadcast measures kept broadcasts to connected devices beside live ones.
func (x *keptRun) broadcast(ctx context.Context) error {
	n := 15_000 / x.scale
	rows := []castRow{{"live", "json"}, {"kept", "json"}, {"live", "bin"}, {"kept", "bin"}}
	for round := range x.opt.Rounds {
		for _, i := range runOrder(len(rows), round) {
			row := rows[i]
			wait := time.Duration(0)
			if row.kind == "kept" {
				wait = castWait
			}
			l := keptLoad{"kept-cast.yaml", []string{param("count", n), param("class", row.kind), param("wait", wait), param("format", row.protocol),
				param("hold", x.opt.Hold), param("warmup", min(2*time.Second, x.opt.Hold)), rate(castRate)}}
			if _, err := x.load(ctx, round, row.name(), "file", l); err != nil {
				return err
			}
			fmt.Fprintf(x.out, "round %d  %s\n", round+1, row.name())
		}
	}
	x.printf("\n## Broadcasts to %d connected devices\n\n%d/s, 128 bytes, store on disk. Kept ones are acknowledged by each device, within 200 ms of\ngetting them: CPU per delivery has that in it. Known: the publisher's answer, who waited for the acknowledgements (the node looks every 20 ms).\n",
		n, castRate)
	x.printf("\n| class | protocol | us/delivery with ksoftirqd | user | system | ksoftirqd | last device has it, p50 ms | max | all have acknowledged, known, p50 ms | generator us |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		value := func(format string, of func(r *result.Result) float64) string {
			return x.number(row.name(), format, func(c *keptCell) float64 { return of(c.Result) })
		}
		known := "-"
		if row.kind == "kept" {
			known = value("%.0f", millis("publish_ack.p50"))
		}
		x.printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.kind, row.protocol,
			value("%.2f", serverMicros(allOf)), value("%.2f", serverMicros(userOf)), value("%.2f", serverMicros(systemOf)), value("%.2f", serverMicros(softirqOf)),
			value("%.0f", millis("fan_last.p50")), value("%.0f", millis("fan_last.max")), known, value("%.2f", clientMicros))
	}
	return nil
}
