package measure

import (
	"context"
	"math"

	"roost/bench/ringpeers/internal/subject"
	"roost/bench/ringpeers/internal/timing"
)

// triesPerWindow bounds how many windows are tried for one that is kept.
const triesPerWindow = 12

// lookups times all lanes for all sizes of rings.
func (r *run) lookups(ctx context.Context) error {
	cores, err := timing.Cores()
	if err != nil {
		return err
	}
	if len(cores) < 2 {
		r.note("one core only: nothing is timed on two threads")
	}
	keys := [2]subject.Keys{subject.NewKeys(r.Options.Keys, 1), subject.NewKeys(r.Options.Keys, 2)}
	for _, n := range r.Options.Nodes {
		r.say("lookups in rings of %d nodes: building them", n)
		lanes, err := subject.Lanes(subject.Nodes(n), func(s subject.Subject) bool { return !r.Options.Quick || s.SlowFrom == 0 || n < s.SlowFrom })
		if err != nil {
			return err
		}
		rows, err := r.lookupRounds(ctx, n, lanes, keys, cores)
		if err != nil {
			return err
		}
		r.Lookups = append(r.Lookups, rows...)
	}
	return nil
}

// lookupRounds times the lanes of one size.
func (r *run) lookupRounds(ctx context.Context, nodes int, lanes []subject.Lane, keys [2]subject.Keys, cores []int) ([]LookupRow, error) {
	modes := []Mode{ModeOne, ModeChain, ModeTwo}
	var pair *timing.Pair
	if len(cores) < 2 {
		modes = modes[:2]
	} else {
		var err error
		if pair, err = timing.NewPair([2]int{cores[0], cores[1]}); err != nil {
			return nil, err
		}
		defer pair.Close()
	}
	rows := make([]LookupRow, 0, len(modes)*len(lanes)) // by lane, then by mode
	for _, l := range lanes {
		for _, mode := range modes {
			rows = append(rows, LookupRow{Nodes: nodes, Lane: l.Name, Kind: l.Kind, Points: l.Points, Mode: mode})
		}
	}
	for round := range r.Options.Rounds {
		r.say("lookups in rings of %d nodes: round %d of %d", nodes, round+1, r.Options.Rounds)
		// The cores take turns: they need not be equally quiet.
		thread, err := timing.Bind(cores[round%len(cores)])
		if err != nil {
			return nil, err
		}
		timing.WithoutGC(func() {
			for _, at := range order(len(lanes), round) {
				if err = ctx.Err(); err != nil {
					return
				}
				for m := range modes {
					r.lookupTurn(&rows[at*len(modes)+m], lanes[at], keys, pair)
				}
			}
		})
		thread.Free()
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// lookupTurn times one lane in one mode.
func (r *run) lookupTurn(row *LookupRow, l subject.Lane, keys [2]subject.Keys, pair *timing.Pair) {
	var loops [2]timing.Loop
	for i := range loops {
		var sum uint64
		loops[i] = func(n int) { sum += l.Lookups(keys[i], n) }
		if row.Mode == ModeChain {
			loops[i] = func(n int) { sum += l.Chain(keys[i], n) }
		}
	}
	if row.Ops == 0 {
		row.Ops = timing.Ops(loops[0])
	}
	if row.Mode == ModeOne && row.Allocs == nil {
		const n = 1000
		_, objects := timing.Allocated(func() { loops[0](n) })
		each := math.Round(float64(objects)/n*100) / 100 // what the runtime does beside it is less
		row.Allocs = &each
	}
	want := r.Options.Windows
	var w timing.Windows
	if row.Mode == ModeTwo {
		w = pair.Take(loops, row.Ops, want, want*triesPerWindow)
	} else {
		w = timing.Take(loops[0], row.Ops, want, want*triesPerWindow)
	}
	for i, ns := range w.Nanos {
		w.Nanos[i] = math.Round(ns*1000) / 1000
	}
	row.Rounds = append(row.Rounds, w)
}
