package decay_test

import (
	"fmt"
	"time"

	"roost/decay"
)

func ExampleExponential() {
	for _, rtt := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
		fmt.Printf("%5v: given %.2f, recommended %.2f\n", rtt, decay.GivenRTT().At(rtt), decay.RTT().At(rtt))
	}
	// Output:
	//   5ms: given 99.99, recommended 96.59
	//  50ms: given 99.90, recommended 70.71
	// 200ms: given 99.60, recommended 25.00
}

// Samples come when they come: what counts is how long ago.
func ExampleEWMA() {
	a, err := decay.NewEWMA(10 * time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	a.Add(0, 20)
	a.Add(1*time.Second, 40)  // a tenth of tau later
	a.Add(21*time.Second, 40) // two tau later
	fmt.Printf("%.1f\n", a.Value())
	// Output: 37.6
}

func ExamplePeakEWMA() {
	p, err := decay.NewPeakEWMA(10 * time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	for second, ms := range []float64{5, 200, 5, 5} {
		p.Add(time.Duration(second)*time.Second, ms)
		fmt.Printf("%.0f ", p.Value())
	}
	fmt.Println()
	// Output: 5 200 181 165
}
