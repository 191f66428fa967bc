package window_test

import (
	"fmt"
	"time"

	"roost/decay/window"
)

// An event loop reads the clock once a turn and counts what it handles; anyone
// reads the rate.
func Example() {
	var span window.Span // 20 x 50 ms
	counters := window.NewCounters(2)
	loop := window.NewBatch(counters.Shard(0), 64)

	for turn := range 2000 { // a turn each millisecond
		now := time.Duration(turn) * time.Millisecond
		epoch := span.Epoch(now)
		for range 3 { // messages of this turn
			loop.Inc(epoch)
		}
		loop.Flush()
	}
	fmt.Printf("%.0f a second\n", span.Rate(counters, 2*time.Second))
	// Output: 3000 a second
}

func ExampleMeter() {
	var m window.Meter
	var span window.Span
	epoch := span.Epoch(3 * time.Second)
	for _, micros := range []uint64{120, 180, 900} {
		m.Observe(epoch, micros)
	}
	s := m.Stats(epoch, span.Slots())
	fmt.Println(s.Count, s.Mean(), s.Max)
	// Output: 3 400 900
}

// A record may come late, by up to a lap of the ring: it counts where it belongs.
func ExampleCounter_Inc() {
	var c window.Counter
	fmt.Println(c.Inc(100))
	fmt.Println(c.Inc(85))       // 750 ms late
	fmt.Println(c.Inc(100 - 32)) // its word is in use again
	fmt.Println(c.Sum(100, 20))
	// Output:
	// true
	// true
	// false
	// 2
}

func ExampleNewDecay() {
	var c window.Counter
	c.Add(0, 100)                                        // at 25 ms, on average
	c.Add(10, 100)                                       // at 525 ms
	halves, err := window.NewDecay(window.Span{}, 1.386) // in half a second
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f of 200\n", halves.Sum(&c, 1025*time.Millisecond-1))
	// Output: 63 of 200
}
