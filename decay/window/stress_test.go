package window

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// perTurn is how many records the stress makes before the epoch changes: one
// turnover per 22 records is the density at which a window that stamps a slot
// first and clears it second lost 800 of 24 million records.
const perTurn = 22

// stressRecords is 24 million, the full test, without the race detector and with
// ROOST_STRESS=1; a million with the race detector, a hundredth of it in short
// tests.
func stressRecords() int {
	const full = 24_000_000
	switch {
	case os.Getenv("ROOST_STRESS") != "":
		return full
	case testing.Short():
		return full / 100
	case raceDetector:
		return full / 24
	}
	return full
}

// TestStress: several goroutines race through turnovers, and nothing is lost or
// counted twice. A round is 32 epochs, so that no record can be late, on words
// that the round before has left; after it the window must hold the round to the
// record.
func TestStress(t *testing.T) {
	const workers = 4
	const round = perTurn * Ring
	rounds := stressRecords() / round
	var c Counter
	var m Meter
	var ticket atomic.Int64 // of the next record: all workers are near one epoch
	var refused atomic.Int64
	begin := make([]chan int, workers)
	var done sync.WaitGroup
	for i := range begin {
		begin[i] = make(chan int)
		go func() {
			for r := range begin[i] {
				for {
					n := int(ticket.Add(1)) - 1
					if n >= round {
						break
					}
					e := Epoch(r*Ring + n/perTurn)
					if !c.Inc(e) || !m.Observe(e, uint64(n)) {
						refused.Add(1)
					}
				}
				done.Done()
			}
		}()
	}
	for r := range rounds {
		ticket.Store(0)
		done.Add(workers)
		for i := range begin {
			begin[i] <- r
		}
		done.Wait()
		last := Epoch(r*Ring + Ring - 1)
		if got := c.Sum(last, Ring); got != round {
			t.Errorf("round %d: %d records counted: want %d", r, got, round)
		}
		if got := m.Stats(last, Ring); got != (Stats{round, round * (round - 1) / 2, round - 1}) {
			t.Errorf("round %d: metered %+v of %d", r, got, round)
		}
		if t.Failed() {
			break
		}
	}
	for i := range begin {
		close(begin[i])
	}
	if n := refused.Load(); n > 0 {
		t.Errorf("%d records refused", n)
	}
	t.Logf("%d records, %d turnovers", rounds*round, rounds*Ring)
}

// TestStressLate: workers whose clocks are laps apart. What each epoch of the last
// lap has accepted, by the workers' own books, is what it counts.
func TestStressLate(t *testing.T) {
	const workers = 4
	records := stressRecords() / 4 / workers
	var c Counter
	var m Meter
	var newest atomic.Int64
	var wg sync.WaitGroup
	accepted := make([][Ring]uint64, workers) // by epochs before the last
	refused := make([]int, workers)
	final := Epoch(workers * records / perTurn)
	for i := range workers {
		wg.Go(func() {
			for n := range records {
				e := Epoch(newest.Add(1) / perTurn)
				if n%5 == i {
					e -= Epoch(n % 100) // late by up to three laps
				}
				if n%1000 == 0 {
					runtime.Gosched()
				}
				m.Observe(e, 1)
				if !c.Inc(e) {
					refused[i]++
				} else if final-e < Ring {
					accepted[i][final-e]++
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d records, refused %v", workers*records, refused)
	for a := range Epoch(Ring) {
		e := final - a
		var want uint64
		for i := range workers {
			want += accepted[i][a]
		}
		if got := c.At(e); got != want {
			t.Errorf("epoch %d counts %d: want %d", e, got, want)
		}
		if s := m.stats(e); s.Sum != s.Count || s.Count > 0 && s.Max != 1 {
			t.Errorf("epoch %d is metered as %+v", e, s)
		}
	}
}
