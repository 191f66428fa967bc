package svg

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit Unit
		want string
	}{
		{0, "ns", "0"}, {999, "ns", "999 ns"}, {999.7, "ns", "1 µs"}, {31.24e6, "ns", "31.2 ms"}, {999.6e6, "ns", "1 s"}, {72.4e9, "ns", "72.4 s"}, {720e9, "ns", "12 min"},
		{math.Inf(1), "ns", "never"}, {math.NaN(), "1", "unknown"}, {-2e6, "ns", "-2 ms"},
		{271, "B/conn", "271 B/conn"}, {0, "B/conn", "0 B/conn"}, {0, "ns/msg", "0 ns/msg"}, {0, "B", "0"}, {7930, "B/conn", "7.74 KiB/conn"}, {1 << 30, "B", "1 GiB"}, {1005, "B", "1,005 B"},
		{1, "share", "100 %"}, {.999988, "share", "99.999 %"}, {.99999999, "share", "99.999999 %"}, {.871, "share", "87.1 %"}, {0, "share", "0 %"},
		{1e6, "1", "1,000,000"}, {-1234, "1", "-1,234"}, {1.125, "1", "1.12"}, {0, "1", "0"}, {399840, "1/s", "399,840/s"}, {.5, "1/s", "0.5/s"},
		{.62, "cores", "0.62 cores"}, {1550, "ns/msg", "1.55 µs/msg"}, {23, "%", "23 %"}, {1e-9, "cores", "1e-09 cores"},
	} {
		if got := Format(c.v, c.unit); got != c.want {
			t.Errorf("Format(%v, %s) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		want   string
	}{
		{Axis{Unit: "1", Zero: true}, []float64{20_000}, "0 5,000 10,000 15,000 20,000"},
		{Axis{Unit: "ns", Log: true}, []float64{3e5, 4e7}, "200 µs 500 µs 1 ms 2 ms 5 ms 10 ms 20 ms 50 ms"},
		{Axis{Unit: "ns", Log: true}, []float64{1e3, 1e10}, "1 µs 10 µs 100 µs 1 ms 10 ms 100 ms 1 s 10 s"},
		{Axis{Unit: "B", Zero: true}, []float64{19 << 20}, "0 4 MiB 8 MiB 12 MiB 16 MiB 20 MiB"},
		{Axis{Unit: "share", Min: 0, Max: 1}, nil, "0 % 20 % 40 % 60 % 80 % 100 %"},
		{Axis{Unit: "ns"}, []float64{0, 85e9}, "0 30 s 60 s 90 s"},
		{Axis{Unit: "1"}, nil, "0 0.2 0.4 0.6 0.8 1"},
		{Axis{Unit: "ns", Log: true}, []float64{math.NaN(), math.Inf(1), 0, -1}, "1 ns 2 ns 5 ns 10 ns"},
		{Axis{Unit: "1"}, []float64{7, 7}, "7 7.2 7.4 7.6 7.8"},
	} {
		s := c.axis.span(5, false, c.values)
		var names []string
		for _, tick := range s.ticks {
			names = append(names, tick.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%+v %v: %s, want %s", c.axis, c.values, got, c.want)
		}
	}
}

// figure draws a chart, and requires XML with finite numbers.
func figure(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, c Chart) string {
	out := string(c.HTML())
	if out != string(c.HTML()) {
		t.Fatal("the same chart gives other bytes")
	}
	d := xml.NewDecoder(strings.NewReader(strings.Replace(out, " hidden>", ">", 1)))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	if m := regexp.MustCompile(`(?:x|y|width|height|d|cx|cy)="[^"]*(NaN|Inf)[^"]*"`).FindString(out); m != "" {
		t.Fatalf("a coordinate is no number: %s", m)
	}
	var data struct {
		F []float64 `json:"f"`
		X []string  `json:"x"`
		L []struct {
			V []string `json:"v"`
		} `json:"l"`
	}
	attr := regexp.MustCompile(`data-hover="([^"]*)"`).FindStringSubmatch(out)
	if err := json.Unmarshal([]byte(html.UnescapeString(attr[1])), &data); err != nil {
		t.Fatalf("what the pointer shows: %v", err)
	}
	for _, l := range data.L {
		if len(l.V) != len(data.F) || len(data.X) != len(data.F) {
			t.Fatalf("%d values of %d points", len(l.V), len(data.F))
		}
	}
	return out
}

// TestAnyChart: whatever the numbers and names, there is a picture of it.
func TestAnyChart(t *testing.T) {
	number := rapid.OneOf(rapid.Float64Range(-1e9, 1e12), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)), rapid.Just(math.Inf(-1)), rapid.Just(0.), rapid.Just(1e308), rapid.Just(5e-324))
	units := rapid.SampledFrom([]Unit{"ns", "B", "1", "share", "1/s", ""})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 450).Draw(t, "points")
		c := Chart{Title: rapid.String().Draw(t, "title"), X: Axis{Unit: units.Draw(t, "unit of x"), Log: rapid.Bool().Draw(t, "log x")},
			Y: Axis{Unit: units.Draw(t, "unit of y"), Log: rapid.Bool().Draw(t, "log y"), Zero: rapid.Bool().Draw(t, "zero")}}
		step := rapid.Float64Range(1e-3, 1e9).Draw(t, "step")
		for i := range n {
			c.At = append(c.At, float64(i)*step)
		}
		for range rapid.IntRange(0, 7).Draw(t, "lines") {
			some := rapid.SliceOfN(number, 1, 8).Draw(t, "values")
			l := Line{Name: rapid.StringN(0, 40, -1).Draw(t, "name"), Colour: rapid.IntRange(0, 9).Draw(t, "colour"), Dots: rapid.Bool().Draw(t, "dots"), Steps: rapid.Bool().Draw(t, "steps")}
			for i := range rapid.IntRange(0, n).Draw(t, "length") {
				l.Y = append(l.Y, some[i%len(some)])
			}
			c.Lines = append(c.Lines, l)
		}
		c.Bands = []Band{{Name: "a", From: 0, To: step * float64(n) / 2}, {Name: "b", From: math.Inf(-1), To: 1, Dim: true}}
		c.Rules = []Rule{{"limit", number.Draw(t, "rule")}}
		figure(t, c)
	})
}

// TestSpikeStays: of many points the largest and the smallest are drawn.
func TestSpikeStays(t *testing.T) {
	c := Chart{Title: "spikes", Lines: []Line{{Name: "a"}, {Name: "b"}}}
	for i := range 5000 {
		c.At = append(c.At, float64(i))
		c.Lines[0].Y = append(c.Lines[0].Y, 10)
		c.Lines[1].Y = append(c.Lines[1].Y, 10)
	}
	c.Lines[0].Y[3333], c.Lines[1].Y[1234] = 77777, -5555
	thin := c.thinned()
	if len(thin.At) > maxPoints+2 {
		t.Errorf("%d points", len(thin.At))
	}
	out := figure(t, c)
	for _, want := range []string{"77,777", "-5,555"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is lost", want)
		}
	}
	if thin.At[len(thin.At)-1] != 4999 {
		t.Error("the last point is lost")
	}
}

// TestMissLeavesThroughTheTop: a line that becomes infinite goes straight up.
func TestMissLeavesThroughTheTop(t *testing.T) {
	out := figure(t, Chart{Title: "t", At: []float64{0, 1, 2, 3}, Lines: []Line{{Name: "a", Y: []float64{1, 2, math.Inf(1), math.Inf(1)}}}})
	if n := strings.Count(out, "never came"); n != len(forms) {
		t.Errorf("%d ways out in %d forms", n, len(forms))
	}
}
