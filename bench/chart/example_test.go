package chart_test

import (
	"bytes"
	"fmt"
	"math"

	"roost/bench/chart"
)

func ExampleLines() {
	seconds := []float64{0, 1, 2, 3, 4}
	picture := chart.Lines{
		Title:  "Weight of a joining node",
		XLabel: "time [s]",
		Panels: []chart.Panel{{
			YLabel:   "weight",
			FromZero: true,
			Series:   []chart.Series{{Name: "node-7", X: seconds, Y: []float64{0.1, 0.2, math.NaN(), 0.4, 0.5}}},
			Marks:    []chart.Mark{{Name: "capacity", Value: 0.6}},
		}},
		Bands: []chart.Band{{From: 0, To: 1, Label: "blackout"}},
	}
	var svg bytes.Buffer
	skipped, err := picture.WriteSVG(&svg)
	fmt.Println(skipped, err)
	// Output: 1 <nil>
}
