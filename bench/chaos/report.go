package chaos

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/loadgen/usage"
)

// report writes report.md: what is known by now, and what was not run.
func report(o Options, results []*Result, left []string) error {
	order := Names()
	results = slices.SortedStableFunc(slices.Values(results), func(a, b *Result) int {
		return cmp.Compare(slices.Index(order, a.Scenario), slices.Index(order, b.Scenario))
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, "# A cluster under faults, %s\n\n    %s\n\n%s\n\n", time.Now().Format(time.DateOnly), strings.Join(o.Command, " "), usage.ReadEnv())
	fmt.Fprintf(&b, "Servers, nodes, devices and publishers share these cores. Times are of a loaded machine, therefore: what a cluster on machines of its own does is faster.\n\n")
	b.WriteString("| scenario | verdict | devices | accepted | lost | twice | delivery p50 / p99 / max | without a connection, of all: p99 / max | requests again |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %d | %d | %d | %d | %s / %s / %s | %s / %s | %d |\n", r.Scenario, r.Scenario, r.Verdict, r.Devices, r.Ledger.Accepted, r.Ledger.Lost, r.Ledger.Repeated,
			short(r.Delivery.P50), short(r.Delivery.P99), short(r.Delivery.Max), short(r.WithoutAll.P99), short(r.WithoutAll.Max), r.Ledger.Repeats)
	}
	for _, name := range left {
		fmt.Fprintf(&b, "| %s | not run | | | | | | | |\n", name)
	}
	for _, r := range results {
		r.page(&b)
	}
	return os.WriteFile(filepath.Join(o.Out, "report.md"), b.Bytes(), 0o644)
}

// lateHint is from when on the report tells that the publishers could not keep up.
const lateHint = 100 * time.Millisecond

// page is a scenario's part of the report.
func (r *Result) page(w io.Writer) {
	command := ""
	if len(r.Command) > 0 {
		command = fmt.Sprintf("`%s`, %s.\n\n", strings.Join(r.Command, " "), r.Started.UTC().Format(time.DateTime))
	}
	pace := ""
	if r.Pace > 1 {
		pace = fmt.Sprintf(", --ring-pace %g", r.Pace)
	}
	fmt.Fprintf(w, "\n## %s\n\n%s. %d nodes, %d devices, %.0f messages/s, %d a request%s. **%s**.\n\n%s", r.Scenario, capital(r.About), r.Nodes, r.Devices, r.Rate, r.Batch, pace, r.Verdict, command)
	for _, bad := range slices.Concat(nonEmpty(r.Error), r.Faults, r.Missed) {
		fmt.Fprintf(w, "- %s\n", strings.ReplaceAll(bad, "\n", "\n  "))
	}
	if c := r.Recovery; c != nil {
		fmt.Fprintf(w, "\n| devices that lost their node | 50 %% | 90 %% | 99 %% | all |\n|---|---|---|---|---|\n")
		fmt.Fprintf(w, "| connected again (%d) | %s | %s | %s | %s |\n", c.Back.N, short(c.Back.P50), short(c.Back.P90), short(c.Back.P99), short(c.Back.Max))
		fmt.Fprintf(w, "| and caught up (%d) | %s | %s | %s | %s |\n", c.Caught.N, short(c.Caught.P50), short(c.Caught.P90), short(c.Caught.P99), short(c.Caught.Max))
		fmt.Fprintf(w, "\nMost connects within a second: %d, of a budget of %.0f; of those let in: %d. Put off by a node with a slot: %d; tries at a node that was not there: %d.\n",
			c.Peak, c.Budget, c.Taken, c.PutOff, c.Refused)
	}
	fmt.Fprintf(w, "\nDelivery of those due between hurt and mended (%d): p50 %s, p99 %s, max %s. Times without a connection: %d devices had one, p50 %s, p99 %s, max %s. Presence agreed after %s, all was handled %s after the last publish. Rings: %s.\n\n",
		r.Hurt.N, short(r.Hurt.P50), short(r.Hurt.P99), short(r.Hurt.Max), r.Without.N, short(r.Without.P50), short(r.Without.P99), short(r.Without.Max), short(r.Presence.Agreed), short(r.Settled), r.Ring)
	if r.Late > lateHint {
		fmt.Fprintf(w, "- requests waited up to %s for their turn, as 256 were under way: that is in the delivery times\n", short(r.Late))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Extra)) {
		fmt.Fprintf(w, "- %s: %.4g\n", name, r.Extra[name])
	}
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		fmt.Fprintf(w, "- asked again %d times: %s\n", r.Reasons[why], strings.ReplaceAll(why, "\n", "; "))
	}
	for _, s := range r.Gaps[:min(len(r.Gaps), 3)] {
		fmt.Fprintf(w, "- without a connection: %s\n", s)
	}
	for _, s := range r.Ledger.Samples {
		fmt.Fprintf(w, "- %s\n", s)
	}
	fmt.Fprintf(w, "\n```\n")
	for _, e := range r.Events {
		fmt.Fprintf(w, "%8.2f s  %s\n", e.At.Seconds(), e.What)
	}
	fmt.Fprintf(w, "```\n")
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", ms(d))
	default:
		return fmt.Sprintf("%.2f ms", ms(d))
	}
}
