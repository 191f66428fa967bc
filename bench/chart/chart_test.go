package chart

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type drawing interface{ WriteSVG(io.Writer) (int, error) }

// render draws d twice and requires the same bytes, and that they are XML.
func render(t testing.TB, d drawing) (svg string, skipped int) {
	t.Helper()
	var a, b bytes.Buffer
	skipped, err := d.WriteSVG(&a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatal("the same input gives other bytes")
	}
	for dec := xml.NewDecoder(&a); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	svg = b.String()
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Fatal("a coordinate is not a number")
	}
	return svg, skipped
}

func wave(n int) (x, y []float64) {
	for i := range n {
		x = append(x, float64(i))
		y = append(y, 100*math.Sin(float64(i)/30))
	}
	return x, y
}

func TestLinesHaveTheirParts(t *testing.T) {
	x, y := wave(300)
	svg, skipped := render(t, Lines{
		Title: "Load & more <of it>", XLabel: "time [s]",
		Panels: []Panel{
			{YLabel: "load [%]", Series: []Series{{Name: "node-1", X: x, Y: y}, {Name: "node-2", X: x, Y: y, Dashed: true, Steps: true}}},
			{YLabel: "weight", Series: []Series{{Name: "weight", X: x, Y: y}}, Marks: []Mark{{"goal", 50}}},
		},
		Bands: []Band{{From: 50, To: 90, Label: "storm"}, {From: 250, To: 9e9, Label: "drain"}},
	})
	if skipped != 0 {
		t.Errorf("%d values skipped, want 0", skipped)
	}
	for _, want := range []string{"Load &amp; more &lt;of it&gt;", "time [s]", "load [%]", "node-1", "node-2", "goal", "storm", "drain", "sans-serif"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	if strings.Count(svg, ">storm<") != 1 {
		t.Error("a band is named once")
	}
}

func TestValuesWithoutPlaceAreCounted(t *testing.T) {
	x := []float64{0, 1, 2, 3, math.NaN(), 5, 6}
	y := []float64{1, math.Inf(1), 2, 0, 4, -5, 1e301}
	series := []Series{{Name: "s", X: x, Y: y}}
	if _, n := render(t, Lines{Panels: []Panel{{Series: series}}}); n != 3 {
		t.Errorf("linear: %d skipped, want 3 (infinite, NaN, too large)", n)
	}
	if _, n := render(t, Lines{Panels: []Panel{{LogY: true, Series: series}}}); n != 5 {
		t.Errorf("log: %d skipped, want 5 (also 0 and negative)", n)
	}
	bars := Bars{Bars: []Bar{{Name: "a", Value: math.NaN()}, {Name: "b", Value: 3}}, Reference: &Mark{"r", math.Inf(-1)}}
	if svg, n := render(t, bars); n != 2 || !strings.Contains(svg, ">none<") {
		t.Errorf("bars: %d skipped, want 2, and a bar that says none", n)
	}
}

func TestBarsHaveTheirParts(t *testing.T) {
	svg, _ := render(t, Bars{Title: "Deviation", ValueLabel: "%", Reference: &Mark{"limit", 2},
		Bars: []Bar{{"static", 0.78, 0}, {"given", -3, 1}, {"many", 33334, 0}}})
	for _, want := range []string{"Deviation", "static", "0.78", "given", "33.33k", "limit"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
}

func TestThinningKeepsSpikes(t *testing.T) {
	x, y := wave(100_000)
	y[54_321] = 7777
	y[54_322] = -7777
	runs, _ := Series{X: x, Y: y}.runs(false)
	if n := len(runs[0]); n > 2*maxPoints {
		t.Errorf("%d points stay of 100,000", n)
	}
	var top, bottom bool
	for i, p := range runs[0] {
		top, bottom = top || p.Y == 7777, bottom || p.Y == -7777
		if i > 0 && p.X <= runs[0][i-1].X {
			t.Fatal("x goes back")
		}
	}
	if !top || !bottom || runs[0][0].X != 0 || runs[0][len(runs[0])-1].X != 99_999 {
		t.Error("a spike or an end is gone")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 9500: "9500", 20000: "20k", 1.5e6: "1.5M", -3e9: "-3G", 1e15: "1e+15",
		9999.4: "9999", 9999.6: "10k", 999_960: "1M", -999_960: "-1M"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestAnyValuesCanBeDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floats := rapid.SliceOfN(rapid.OneOf(rapid.Float64(), rapid.Float64Range(-5, 5), rapid.SampledFrom([]float64{0, math.NaN(), 1e300, -1e300})), 0, 12)
		l := Lines{Title: rapid.String().Draw(t, "title"), XLabel: "x", Panels: []Panel{
			{LogY: rapid.Bool().Draw(t, "log"), FromZero: rapid.Bool().Draw(t, "zero"),
				Series: []Series{{Name: rapid.String().Draw(t, "name"), X: floats.Draw(t, "x"), Y: floats.Draw(t, "y")}},
				Marks:  []Mark{{"m", rapid.Float64().Draw(t, "mark")}}},
		}, Bands: []Band{{From: rapid.Float64().Draw(t, "from"), To: rapid.Float64().Draw(t, "to"), Label: "b"}}}
		if _, err := l.WriteSVG(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("title", "node\x00", []byte("0123456789abcdef0123456789abcdef"), true)
	f.Fuzz(func(t *testing.T, title, name string, data []byte, log bool) {
		var x, y []float64
		for ; len(data) >= 16; data = data[16:] {
			x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(data)))
			y = append(y, math.Float64frombits(binary.LittleEndian.Uint64(data[8:])))
		}
		render(t, Lines{Title: title, Panels: []Panel{{LogY: log, Series: []Series{{Name: name, X: x, Y: y}}}}})
	})
}
