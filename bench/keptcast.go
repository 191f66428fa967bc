package bench

import (
	"context"
	"fmt"
	"strconv"

	"roost/loadgen"
)

// castRate is broadcasts a second: each, with its acknowledgements, is over
// before the next.
const castRate = 1

// castRow is one load of broadcasts.
type castRow struct{ kind, protocol string }

func (r castRow) name() string { return "cast-" + r.kind + "-" + r.protocol }

// broadcast measures kept broadcasts to connected devices beside live ones.
func (x *keptRun) broadcast(ctx context.Context) error {
	n := 15_000 / x.scale
	rows := []castRow{{"live", "json"}, {"kept", "json"}, {"live", "bin"}, {"kept", "bin"}}
	for round := range x.opt.Rounds {
		for _, i := range Order(len(rows), round) {
			row := rows[i]
			args := []string{"--mode", loadgen.ModeBroadcast}
			if row.kind == "kept" {
				args = []string{"--mode", loadgen.ModeKept, "--all"}
			}
			args = join(args, []string{"--protocol", row.protocol, "--connections", strconv.Itoa(n), "--hold", x.opt.Hold.String(),
				"--rate", strconv.Itoa(castRate), "--size", "128", "--patience", "20s"})
			if _, err := x.load(ctx, round, row.name(), "file", args); err != nil {
				return err
			}
			fmt.Fprintf(x.out, "round %d  %s\n", round+1, row.name())
		}
	}
	x.printf("\n## Broadcasts to %d connected devices\n\n%d/s, 128 bytes (live: with the frame's wrapper; kept: without), store on disk. Kept ones are acknowledged by each device, within 200 ms of\ngetting them: CPU per delivery has that in it. Known: the publisher's answer, who waited for the acknowledgements (the node looks every 20 ms).\n",
		n, castRate)
	x.printf("\n| class | protocol | us/delivery with ksoftirqd | user | system | ksoftirqd | last device has it, p50 ms | max | last ack sent, p50 ms | known, p50 ms | generator us |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		value := func(format string, of func(d castNumbers) float64) string {
			return x.number(row.name(), format, func(c *keptCell) float64 { return of(castOf(c.Result)) })
		}
		lastAck, known := "-", "-"
		if row.kind == "kept" {
			lastAck = value("%.0f", func(d castNumbers) float64 { return d.lastAck })
			known = value("%.0f", func(d castNumbers) float64 { return d.known })
		}
		x.printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.kind, row.protocol,
			value("%.2f", func(d castNumbers) float64 { return d.total }), value("%.2f", func(d castNumbers) float64 { return d.user }),
			value("%.2f", func(d castNumbers) float64 { return d.system }), value("%.2f", func(d castNumbers) float64 { return d.softirq }),
			value("%.0f", func(d castNumbers) float64 { return d.last }), value("%.0f", func(d castNumbers) float64 { return d.lastMax }),
			lastAck, known, value("%.2f", func(d castNumbers) float64 { return d.client }))
	}
	return nil
}

// castNumbers is what live and kept broadcasts have in common: us per delivery,
// and ms.
type castNumbers struct {
	total, user, system, softirq, client float64
	last, lastMax, lastAck, known        float64
}

func castOf(r *loadgen.Result) castNumbers {
	if k := r.Kept; k != nil {
		return castNumbers{total: k.ServerSumMicros, user: k.UserMicros, system: k.SystemMicros, softirq: k.ServerSumMicros - k.ServerMicros,
			client: k.ClientMicros, last: float64(k.Last.P50) / ms, lastMax: float64(k.Last.Max) / ms,
			lastAck: float64(k.LastAck.P50) / ms, known: float64(k.Answered.P50) / ms}
	}
	b := r.Broadcast
	user := b.ServerMicros * b.Work.UserShare()
	return castNumbers{total: b.ServerSumMicros, user: user, system: b.ServerMicros - user, softirq: b.ServerSumMicros - b.ServerMicros,
		client: b.ClientMicros, last: float64(b.Last.P50) / ms, lastMax: float64(b.Last.Max) / ms}
}
