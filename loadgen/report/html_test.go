package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
	"roost/loadgen/tally"
)

func render(t *testing.T, r *result.Result) string {
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPageHasItsParts: which sections each made-up result has.
func TestPageHasItsParts(t *testing.T) {
	all := "thresholds latency time fanout deliveries phases resources validity environment scenario"
	for name, want := range map[string]string{
		"valid":   all,
		"invalid": all + " notes",
		"errors":  "thresholds latency time fanout deliveries errors phases resources validity environment scenario",
		"storm":   "thresholds latency time fanout storm deliveries phases resources validity environment scenario",
		"million": all,
		"empty":   "environment scenario notes",
	} {
		page := render(t, sample.Make(name))
		var got []string
		for _, m := range regexp.MustCompile(`<section id="([a-z]+)"`).FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s has %s, want %s", name, s, want)
		}
		page = regexp.MustCompile(`base64,[^"]+`).ReplaceAllString(page, "")
		if strings.Contains(page, "NaN") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "&lt;nil&gt;") {
			t.Errorf("%s: something could not be written", name)
		}
		if chips := strings.Count(page, ">not a result<"); (name == "invalid") != (chips == len(got)) {
			t.Errorf("%s: %d parts of %d say that they are no result", name, chips, len(got))
		}
	}
	if first, second := render(t, sample.Make("storm")), render(t, sample.Make("storm")); first != second {
		t.Error("the same result gives another page")
	}
}

// TestPageOfALongRun: half an hour in many phases makes a page that a browser opens at once.
func TestPageOfALongRun(t *testing.T) {
	r := sample.Make("valid")
	hold := r.Phases[2]
	r.Series = nil
	for i := range 16 {
		hold.Name, hold.Start, hold.Length = fmt.Sprintf("hold-%d", i), time.Duration(i)*2*time.Minute, 2*time.Minute
		r.Phases = append(r.Phases, hold)
		for k := range 120 {
			r.Series = append(r.Series, result.Point{At: hold.Start + time.Duration(k)*time.Second, Phase: len(r.Phases) - 1, Connected: k, P50: 1e6, P99: 2e6, Max: int64(k) * 1e6,
				DialRate: float64(k), SentRate: 1, DeliveredRate: 2, ErrorRate: 3, WorkerCPU: 1, ServerCPU: 1, ServerRSS: 1e9})
		}
	}
	if n := len(render(t, r)); n > 3<<20 {
		t.Errorf("%d bytes", n)
	}
}

// TestPageHoldsTheResult: the download is the file.
func TestPageHoldsTheResult(t *testing.T) {
	r := sample.Make("errors")
	m := regexp.MustCompile(`data:application/gzip;base64,([A-Za-z0-9+/=]+)`).FindStringSubmatch(html.UnescapeString(render(t, r)))
	if m == nil {
		t.Fatal("no download")
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(m[1])))
	if err != nil {
		t.Fatal(err)
	}
	back, err := result.Decode(io.LimitReader(z, result.MaxFile))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Metrics(), r.Metrics()) {
		t.Error("it is another result")
	}
}

// allowed are the elements and attributes of the page: what a text of a server
// adds to them is a hole.
var allowed = regexp.MustCompile(`^(class|id|lang|charset|name|content|http-equiv|role|aria-[a-z]+|tabindex|scope|colspan|href|download|data-hover|hidden|viewbox|d|x|y|width|height|cx|cy|r|text-anchor)$`)

// evil is what a server may say that does not like us.
var evil = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><script>alert(1)</script>`, `javascript:alert(1)`, `' onmouseover='alert(1)`,
	`</title><svg onload=alert(1)>`, `<!--`, `]]>`, `{{.}}`, "\u2028</script>", `&lt;b&gt;`, "\x00<b>", "\xff<b \xff>", `"/><b>`}

// TestPageIsText: whatever a server, a scenario or a machine is called, it is
// text in the page: no element, attribute or address comes of it.
func TestPageIsText(t *testing.T) {
	for _, said := range evil {
		checkText(t, said)
	}
}

// FuzzPageIsText: the same of anything.
func FuzzPageIsText(f *testing.F) {
	for _, said := range evil {
		f.Add(said)
	}
	f.Fuzz(func(t *testing.T, said string) { checkText(t, said) })
}

func checkText(t *testing.T, said string) {
	t.Helper()
	scripts := 0
	for z := html.NewTokenizer(strings.NewReader(render(t, everywhere(said)))); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		switch token.Data {
		case "script":
			scripts++
		case "img", "iframe", "object", "embed", "link", "form", "b":
			t.Fatalf("an element <%s> of %q", token.Data, said)
		}
		for _, a := range token.Attr {
			if !allowed.MatchString(a.Key) {
				t.Fatalf("an attribute %s of %q", a.Key, said)
			}
			if a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "data:application/gzip;base64,") {
				t.Fatalf("an address %q of %q", a.Val, said)
			}
		}
	}
	if scripts != 1 {
		t.Fatalf("%d scripts with %q", scripts, said)
	}
}

// everywhere is a result that says so wherever it says something.
func everywhere(said string) *result.Result {
	r := sample.Make("empty")
	fact := []result.Fact{{Name: said, Value: said}}
	r.ID, r.Scenario.Name, r.Scenario.Text, r.Scenario.SHA256 = said, said, said, said
	r.Scenario.Groups[0].Name, r.Scenario.Groups[1].Name = said, said+"2"
	r.Tool = result.Tool{Name: said, Version: said, Revision: said, Go: said}
	r.Argv, r.Notes, r.Labels = []string{said}, []string{said}, map[string]string{said: said}
	r.Comparability = result.Comparability{Hash: said, Facts: fact}
	r.Environment = result.Environment{Host: fact, Sysctl: fact, Before: fact, During: fact}
	r.Verdict = result.Verdict(said)
	r.Validity = []result.Check{{Name: said, Unit: said, State: "fail", Text: said, Value: math.Inf(1)}}
	r.Thresholds = []result.Threshold{{Text: said, State: "fail", Reason: said}, {Text: said, State: said, Reason: said}}
	h := tally.NewHist()
	h.Record(1e6)
	r.Phases = []result.Phase{{Length: 1e9, Tally: &tally.Tally{Groups: make([]tally.Group, 2)}}}
	for g := range r.Phases[0].Tally.Groups {
		r.Phases[0].Tally.Groups[g] = tally.Group{Counts: tally.Counts{Expected: 1, Delivered: 1}, Hists: tally.GroupHists{h}}
	}
	r.Series = []result.Point{{At: 1e9, Connected: 1}}
	r.Phases[0].Name, r.Phases[0].Outcome = said, said
	r.Phases[0].Errors = []result.ErrorLine{{Stage: said, Class: said, Text: said, Advice: said, Count: 1}}
	r.Phases[0].Storm = &result.Storm{Cut: 1}
	r.Servers = []result.Server{{Name: said, Source: said, Binary: said, SHA256: said, Version: said, Argv: []string{said}, Env: fact, Profile: said, Slope: map[string]float64{said: 1}}}
	r.Workers = []result.Worker{{Host: said, Lost: said}}
	r.Clock.Method, r.Clock.Source = said, said
	return r
}
