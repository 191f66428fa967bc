package couplings

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// report writes the tables, and what follows from them.
func (x *run) report(w io.Writer) {
	for i, c := range x.Worlds {
		fmt.Fprintf(w, "\n## %s\n\n%s: %.0f pushes/s for %v of virtual time.\n\n", c.World.Name, c.World.About, c.World.Rate, c.World.Length)
		fmt.Fprint(w, "| policy | mean ms | p50 | p99 | p99.9 | first choice failed % | choices | in its own zone % | busiest/mean | last met a fault after s | lost |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
		for _, o := range c.Outcomes {
			fmt.Fprintf(w, "| %s | %.1f | %.1f | %.0f | %.0f | %.2f | %.3f | %.0f | %.2f | %.2f | %d |\n",
				o.Policy, o.Mean, o.P50, o.P99, o.P999, 100*o.FirstFailed, o.Tries, 100*o.Near, o.Busiest, o.Blind, o.Lost)
		}
		fmt.Fprintf(w, "\n%s\n", x.Worlds[i].verdict())
	}
	if len(x.Sockets) > 0 {
		x.reportSockets(w)
	}
	fmt.Fprint(w, "\n## Where each wins\n\n", x.wins())
}

// verdict names the best of a world.
func (c *worldRun) verdict() string {
	best := func(of func(o Outcome) float64) (name string, value float64) {
		o := slices.MinFunc(c.Outcomes, func(a, b Outcome) int {
			return cmp.Or(cmp.Compare(a.Lost, b.Lost), cmp.Compare(of(a), of(b)))
		})
		return o.Policy, of(o)
	}
	mean, m := best(func(o Outcome) float64 { return o.Mean })
	tail, p := best(func(o Outcome) float64 { return o.P99 })
	far, q := best(func(o Outcome) float64 { return o.P999 })
	even, b := best(func(o Outcome) float64 { return o.Busiest })
	return fmt.Sprintf("Best mean: %s (%.1f ms). Best p99: %s (%.0f ms). Best p99.9: %s (%.0f ms). Most even: %s (busiest %.2f of the mean).", mean, m, tail, p, far, q, even, b)
}

func (x *run) reportSockets(w io.Writer) {
	fmt.Fprintf(w, "\n## The publisher against real sockets\n\n%d HTTP servers on loopback that answer after %s; %.0f messages/s, each phase %v; an answer is waited for %v. A curve that halves in 10 ms. ms from due to result.\n\n",
		len(delays), words(delays), x.Rate, x.Phase, attempt)
	fmt.Fprint(w, "| phase | choice | p50 | p99 | max | requests a message | failed of all |\n|---|---|---|---|---|---|---|\n")
	for _, ph := range phases {
		for _, o := range x.Sockets {
			if o.Phase == ph.Name {
				fmt.Fprintf(w, "| %s | %s | %.1f | %.1f | %.0f | %.3f | %d of %d |\n", o.Phase, o.Choose, o.P50, o.P99, o.Max, o.Tries, o.Failed, o.Pushes)
			}
		}
	}
}

// words lists values.
func words[T fmt.Stringer](list []T) string {
	var s []string
	for _, v := range list {
		s = append(s, v.String())
	}
	return strings.Join(s, ", ")
}

// find returns the outcome of a policy in a world.
func (x *run) find(world, policy string) Outcome {
	for _, c := range x.Worlds {
		for _, o := range c.Outcomes {
			if c.World.Name == world && o.Policy == policy {
				return o
			}
		}
	}
	return Outcome{}
}

// wins says in words where which coupling wins, in numbers of this run.
func (x *run) wins() string {
	f := func(world, policy string) Outcome { return x.find(world, policy) }
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "- "+format+"\n", args...) }
	say("**Before the push** wins where nodes differ and nothing fails: with a curve that halves in 10 ms the mean is %.1f ms against %.1f at random when all are well (%.0f %% stay in their zone), and a node that has become slow, which never fails a connect, costs p99 %.0f ms against %.0f after failure.",
		f("healthy", "before push, 10 ms").Mean, f("healthy", "random").Mean, 100*f("healthy", "before push, 10 ms").Near, f("one is slow", "before push, 10 ms").P99, f("one is slow", "after failure").P99)
	say("The **given** curve, e^(-0.02 rtt/s), does not see round-trip times: %.1f ms mean, %.0f %% in their own zone, as random has (%.1f ms, %.0f %%). What it has over random is the weights: among uneven nodes p99 is %.0f ms against %.0f.",
		f("healthy", "before push, given").Mean, 100*f("healthy", "before push, given").Near, f("healthy", "random").Mean, 100*f("healthy", "random").Near, f("uneven", "before push, given").P99, f("uneven", "random").P99)
	say("Its price is age: where nodes are gone for less than snapshots are apart, %.1f %% of its first choices fail, as at random (%.1f %%), and it then chooses by the same old snapshot.",
		100*f("restarts", "before push, 10 ms").FirstFailed, 100*f("restarts", "random").FirstFailed)
	say("**After a failure** costs nothing while all is well and about two round trips when it is not: with restarts it has a p99 of %.0f ms where random has %.0f, and where a zone hangs the best p99.9 (%.0f ms; before the push, 10 ms: %.0f). It does not help with what does not fail, and by itself it remembers nothing: each push that meets a node that hangs pays the timeout (p99 %.0f ms; before the push %.0f, which knows after a second and a timeout). server/publisher remembers: a node that failed is left alone for 250 ms to 10 s.",
		f("restarts", "after failure").P99, f("restarts", "random").P99, f("a zone hangs", "after failure").P999, f("a zone hangs", "before push, 10 ms").P999, f("one hangs", "after failure").P99, f("one hangs", "before push, 10 ms").P99)
	say("**Both** are before the push where nothing fails, and better than it where snapshots are too old: with restarts a mean of %.1f ms and a p99 of %.0f (before the push alone %.1f and %.0f).",
		f("restarts", "both").Mean, f("restarts", "both").P99, f("restarts", "before push, 10 ms").Mean, f("restarts", "before push, 10 ms").P99)
	say("A **sharp curve** costs where the near nodes cannot take what it sends them: when a zone hangs, its pushes go to the zone beside it alone, and p99 is %.0f ms with 10 ms, %.0f with 100 ms, %.0f with the given curve. Weights that follow load would tell; a constant does not. So 100 ms is the default.",
		f("a zone hangs", "before push, 10 ms").P99, f("a zone hangs", "before push, 100 ms").P99, f("a zone hangs", "before push, given").P99)
	say("The **ring** pays the way to the owner's zone (mean %.1f ms), and saves what is not in these numbers: the hop from whoever took the message to the owner. So publishers choose by the ring unless they are far from most nodes, and after a failure by a look (Choose: AfterFailure).",
		f("healthy", "ring").Mean)
	return b.String()
}
