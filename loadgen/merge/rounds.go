package merge

import (
	"slices"

	"roost/loadgen/tally"
)

// MaxRounds bounds the fan-outs that wait for their other parts: 20 MB. What
// does not fit is recorded as it is.
const MaxRounds = 1 << 17

// Rounds puts together what each worker saw of fan-outs, and records when the
// first, the median and the last subscriber had the message, from due, and the
// time from first to last.
//
// With one worker all four are exact. With several the median is known as well
// as the marks say: it is not before the true one, and at most an eighth of the
// course later. What nobody got, or too few, is a miss. A message that was
// refused is none: it is left out.
type Rounds struct {
	workers int
	hists   *tally.Hists // where to record

	waiting map[roundKey]*round
	oldest  []roundKey // of waiting, by arrival; may name some that are gone
}

type roundKey struct {
	stream uint16
	seq    uint32
}

type round struct {
	due       int64
	want, got uint32
	parts     []tally.Round // one of each worker that has reported
}

// NewRounds returns the merging of one phase, of that many workers, into hists.
func NewRounds(workers int, hists *tally.Hists) *Rounds {
	return &Rounds{workers: workers, hists: hists, waiting: map[roundKey]*round{}}
}

// Add takes a worker's part.
func (r *Rounds) Add(part tally.Round) {
	k := roundKey{part.Stream, part.Seq}
	w := r.waiting[k]
	if w == nil {
		if len(r.waiting) >= MaxRounds {
			r.evict()
		}
		w = &round{due: part.Due}
		r.waiting[k] = w
		r.oldest = append(r.oldest, k)
	}
	w.want += part.Want
	w.got += part.Got
	w.parts = append(w.parts, part)
	// One that nobody got may have been refused, which is known at the end.
	if len(w.parts) >= r.workers && w.got > 0 {
		r.record(k, w)
	}
}

// evict records the round that has waited longest.
func (r *Rounds) evict() {
	for len(r.oldest) > 0 {
		k := r.oldest[0]
		r.oldest = r.oldest[1:]
		if w := r.waiting[k]; w != nil {
			r.record(k, w)
			return
		}
	}
}

// Close records what still waits; refused says of which messages there is
// nothing to record unless somebody got them.
func (r *Rounds) Close(refused func(stream uint16, seq uint32) bool) {
	for k, w := range r.waiting {
		if w.got == 0 && refused(k.stream, k.seq) {
			continue
		}
		r.record(k, w)
	}
	clear(r.waiting)
	r.oldest = nil
}

func (r *Rounds) record(k roundKey, w *round) {
	delete(r.waiting, k)
	if len(r.oldest) > 2*MaxRounds { // mostly of those that are gone
		r.oldest = slices.DeleteFunc(r.oldest, func(k roundKey) bool { return r.waiting[k] == nil })
	}
	if w.want == 0 {
		return
	}
	first := w.first()
	r.note(tally.FanFirst, w.due, first)
	r.note(tally.FanMedian, w.due, w.median())
	last := w.last()
	r.note(tally.FanLast, w.due, last)
	r.note(tally.FanSpread, first, last)
}

// note records the time from to at, or a miss if at is none.
func (r *Rounds) note(id tally.HistID, from, at int64) {
	if r.hists[id] == nil {
		r.hists[id] = tally.NewHist()
	}
	if at == 0 {
		r.hists[id].Miss(1)
		return
	}
	r.hists[id].Record(at - from)
}

// first returns when the first subscriber had it; 0: nobody.
func (w *round) first() (first int64) {
	for _, p := range w.parts {
		if m := p.Marks[0]; m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

// last returns when the last subscriber had it; 0: not all did.
func (w *round) last() (last int64) {
	for _, p := range w.parts {
		m := p.Marks[tally.Octiles-1]
		if p.Want > 0 && m == 0 {
			return 0
		}
		last = max(last, m)
	}
	return last
}

// median returns when half of the subscribers had it for sure; 0: half did not.
func (w *round) median() int64 {
	if len(w.parts) == 1 {
		return w.parts[0].Marks[tally.Octiles/2]
	}
	type step struct {
		at int64
		n  uint32 // so many more
	}
	steps := make([]step, 0, len(w.parts)*tally.Octiles)
	for _, p := range w.parts {
		had := uint32(0)
		for k, at := range p.Marks {
			if at == 0 {
				continue
			}
			by := max((p.Want*uint32(k)+7)/8, 1) // mark 0: one
			if by > had {
				steps = append(steps, step{at, by - had})
				had = by
			}
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return int(min(max(a.at-b.at, -1), 1)) })
	half, n := (w.want+1)/2, uint32(0)
	for _, s := range steps {
		if n += s.n; n >= half {
			return s.at
		}
	}
	return 0
}
