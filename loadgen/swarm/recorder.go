package swarm

import (
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/tally"
	"roost/poller"
)

// Short names of the histograms that are recorded here.
const (
	histConnect    = tally.Connect
	histGreeting   = tally.Greeting
	histDialLag    = tally.DialLag
	histSendLag    = tally.SendLag
	histPublishAck = tally.PublishAck
	histRxLag      = tally.RxLag
	histRestore    = tally.Restore
	histRestoreAt  = tally.RestoreAt
	histSilence    = tally.Silence
)

// recorder counts what happens on the loop.
type recorder struct {
	t *tally.Tally

	// Kernel stamps, of a share of the clients.
	stamped   float64
	stampSeed uint64
	arrival   int64 // of what is being read, on the run's clock; 0: not known
	offset    int64 // from the wall clock to the run's
}

func (r *recorder) init(groups int) { r.t = newTally(groups) }

func newTally(groups int) *tally.Tally { return &tally.Tally{Groups: make([]tally.Group, groups)} }

func (r *recorder) counts(group uint8) *tally.Counts { return &r.t.Groups[group].Counts }

func (r *recorder) hist(id tally.HistID, ns int64) { record(&r.t.Hists[id], ns) }

// histN records what n events have in common.
func (r *recorder) histN(id tally.HistID, ns int64, n uint64) {
	h := &r.t.Hists[id]
	if *h == nil {
		*h = tally.NewHist()
	}
	(*h).RecordN(ns, n)
}

func (r *recorder) groupHist(group uint8, id tally.GroupHistID) **tally.Hist {
	return &r.t.Groups[group].Hists[id]
}

func record(h **tally.Hist, ns int64) {
	if *h == nil {
		*h = tally.NewHist()
	}
	(*h).Record(ns)
}

// wait counts a message that found all requests to an API under way.
func (r *recorder) wait(api, most int) {
	for len(r.t.Waits) <= api {
		r.t.Waits = append(r.t.Waits, tally.Wait{})
	}
	x := &r.t.Waits[api]
	x.Messages, x.Requests = x.Messages+1, max(x.Requests, uint32(most))
}

// failure counts an error.
func (r *recorder) failure(stage string, err error) {
	class, text := plan.Classify(stage, err)
	r.t.Errors.Count(tally.ErrorKey{Stage: stage, Class: class, Text: text}, 1)
}

// arrived takes note of when the kernel had what is being read.
func (r *recorder) arrived(pc poller.Conn) {
	r.arrival = 0
	if r.stamped > 0 {
		if ns := pc.Arrived(); ns != 0 {
			r.arrival = ns + r.offset
		}
	}
}

// setClock compares the wall clock, by which the kernel stamps, with the run's.
// It is done again each second: the wall clock is slewed.
func (w *Worker) setClock() {
	if w.rec.stamped > 0 {
		w.rec.offset = w.now() - time.Now().UnixNano()
	}
}

// Tick returns what was counted since the last Tick.
func (w *Worker) Tick() *tally.Tally {
	w.tickMu.Lock()
	defer w.tickMu.Unlock()
	fresh := newTally(len(w.groups.list))
	w.spareHists(fresh)
	var t *tally.Tally
	swap := func() {
		w.setClock()
		if w.phase != nil {
			w.emitRounds(w.now())
		}
		t, w.rec.t = w.rec.t, fresh
	}
	if !w.do(swap) {
		swap()
	}
	w.keepHists(t)
	return t
}

// hists calls f for every place of a histogram, always in the same order.
func hists(t *tally.Tally, f func(i int, h **tally.Hist)) {
	n := 0
	for i := range t.Hists {
		f(n, &t.Hists[i])
		n++
	}
	for g := range t.Groups {
		for i := range t.Groups[g].Hists {
			f(n, &t.Groups[g].Hists[i])
			n++
		}
	}
}

// spareHists gives a fresh tally the histograms that the last one has used, so
// that the loop need not make them.
func (w *Worker) spareHists(t *tally.Tally) {
	hists(t, func(i int, h **tally.Hist) {
		if i < len(w.used) && w.used[i] {
			*h = tally.NewHist()
		}
	})
}

// keepHists takes those out of a tally that nothing was recorded in.
func (w *Worker) keepHists(t *tally.Tally) {
	hists(t, func(i int, h **tally.Hist) {
		if i >= len(w.used) {
			w.used = append(w.used, false)
		}
		if w.used[i] = (*h).Count() > 0; !w.used[i] {
			*h = nil
		}
	})
}
