package rings

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/tally"
	"roost/loadgen/usage"
	"roost/server/cluster"
)

// Options say what Run does. Zero fields mean their defaults.
type Options struct {
	Out     string // folder of results; default bench/results/rings-DATE
	Etcd    string // binary; default etcd
	IDs     int    // of the fourth node; default 1,000,000
	Nodes   int    // default 100
	Changes int    // default 1,000
	Weights int    // published a second; default 100
	Quick   bool   // 100,000 ids and 50 changes, to see that it works

	Command []string // recorded
}

func (o Options) withDefaults() Options {
	if o.Quick {
		o.IDs, o.Changes = cmp.Or(o.IDs, 100_000), cmp.Or(o.Changes, 50)
	}
	o.Etcd = cmp.Or(o.Etcd, "etcd")
	o.IDs, o.Nodes, o.Changes, o.Weights = cmp.Or(o.IDs, 1_000_000), cmp.Or(o.Nodes, 100), cmp.Or(o.Changes, 1000), cmp.Or(o.Weights, 100)
	return o
}

func (o *Options) validate() error {
	switch {
	case o.IDs < 1000 || o.IDs > 100_000_000:
		return fmt.Errorf("%d ids: 1,000 to 100 million", o.IDs)
	case o.Nodes < 1 || o.Nodes > 1000 || o.Changes < 1 || o.Changes > 1_000_000 || o.Weights > 10_000:
		return fmt.Errorf("%d nodes, %d changes, %d weights a second: at most 1,000, a million and 10,000", o.Nodes, o.Changes, o.Weights)
	}
	return nil
}

// results is results.json.
type results struct {
	Command []string  `json:"command"`
	Env     usage.Env `json:"env"`
	Join    *Join     `json:"fourth_node"`
	Swapped *Swapped  `json:"event_to_swap"`
}

// Run does both measurements, prints a report to out and writes it with results.json
// to a folder. The error is also that of a target that was missed.
func Run(ctx context.Context, o Options, out io.Writer) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return fmt.Errorf("bench rings: %w", err)
	}
	folder, err := experiment.Folder(o.Out, "rings")
	if err != nil {
		return err
	}
	r := results{Command: o.Command, Env: usage.ReadEnv()}
	if r.Join, err = Fourth(o.IDs); err != nil {
		return err
	}
	if r.Swapped, err = swapsIn(ctx, o); err != nil {
		return err
	}
	var text bytes.Buffer
	r.report(&text)
	raw, err := json.MarshalIndent(&r, "", " ")
	if err != nil {
		return err
	}
	_, said := out.Write(text.Bytes())
	return errors.Join(said,
		os.WriteFile(filepath.Join(folder, "results.json"), append(raw, '\n'), 0o644),
		os.WriteFile(filepath.Join(folder, "report.md"), text.Bytes(), 0o644),
		r.Join.ok(), r.Swapped.ok())
}

// swapsIn is Swaps in a folder of its own.
func swapsIn(ctx context.Context, o Options) (*Swapped, error) {
	dir, err := os.MkdirTemp("", "bench-rings-")
	if err != nil {
		return nil, err
	}
	s, err := Swaps(ctx, SwapOptions{Etcd: o.Etcd, Nodes: o.Nodes, Changes: o.Changes, Weights: o.Weights, Log: filepath.Join(dir, "etcd.log")})
	return s, errors.Join(err, os.RemoveAll(dir))
}

func (r *results) report(w io.Writer) {
	fmt.Fprintf(w, "# Changes of the ring, %s\n\n    %s\n\n%s\n", time.Now().Format(time.DateOnly), strings.Join(r.Command, " "), r.Env)
	j := r.Join
	fmt.Fprintf(w, "\n## A fourth equal node\n\nThe planner's decision (%s), applied by the ring; %d ids.\n\n| | before | after |\n|---|---|---|\n", j.Decided, j.IDs)
	for _, id := range slices.Sorted(maps.Keys(j.After)) {
		fmt.Fprintf(w, "| %s | %d | %d |\n", id, j.Before[id], j.After[id])
	}
	fmt.Fprintf(w, "\nMoved: %d, %.2f %% of the ids (want 25 within 2); between the other three: %d. Slots of the table: %d of %d moved, %d between others.\n",
		j.Moved, 100*j.Share, j.Between, j.SlotsMoved, j.Slots, j.Collateral)
	s := r.Swapped
	fmt.Fprintf(w, "\n## From an event in etcd to the ring that readers see\n\n%d nodes that are there by their keys and publish %d weights a second together; %d changes of the ring, 20 ms apart; %s, one member, "+
		"with its data synced. The stages begin when the watch has brought the event.\n\n| stage | n | p50 ms | p90 | p99 | max |\n|---|---|---|---|---|---|\n",
		s.Nodes, s.Weights, s.Changes, s.Etcd)
	for stage := range cluster.NumStages {
		row(w, stage.String(), s.Stages[stage.String()])
	}
	row(w, "request to etcd until seen", s.Answer)
	fmt.Fprintf(w, "\nCapture counts all events, weights too. The watcher listed %d times.\n", s.Lists)
}

func row(w io.Writer, name string, h *tally.Hist) {
	fmt.Fprintf(w, "| %s | %d | %.3f | %.3f | %.3f | %.3f |\n", name, h.Count(),
		float64(h.Quantile(0.5))/1e6, float64(h.Quantile(0.9))/1e6, float64(h.Quantile(0.99))/1e6, float64(h.Max())/1e6)
}
