package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

func render(t interface{ Fatal(...any) }, r *result.Result) string {
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

// TestPageIsText: whatever a server, a scenario or a machine is called, it is
// text in the page: no element, attribute or address comes of it.
func TestPageIsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.OneOf(
			rapid.SampledFrom([]string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><script>alert(1)</script>`, `javascript:alert(1)`,
				`' onmouseover='alert(1)`, `</title><svg onload=alert(1)>`, `<!--`, `]]>`, `{{.}}`, "\u2028</script>", `&lt;b&gt;`, "\x00<b>"}),
			rapid.String()).Draw(t, "evil")
		page := render(t, everywhere(evil))
		scripts := 0
		for z := html.NewTokenizer(strings.NewReader(page)); ; {
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
				t.Fatalf("an element <%s> of %q", token.Data, evil)
			}
			for _, a := range token.Attr {
				if !allowed.MatchString(a.Key) {
					t.Fatalf("an attribute %s of %q", a.Key, evil)
				}
				if a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "data:application/gzip;base64,") {
					t.Fatalf("an address %q of %q", a.Val, evil)
				}
			}
		}
		if scripts != 1 {
			t.Fatalf("%d scripts with %q", scripts, evil)
		}
	})
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
	full := sample.Make("valid")
	r.Phases, r.Series = full.Phases[2:3], full.Series[20:30]
	for i := range r.Series {
		r.Series[i].Phase = 0
	}
	r.Phases[0].Name, r.Phases[0].Outcome = said, said
	r.Phases[0].Errors = []result.ErrorLine{{Stage: said, Class: said, Text: said, Advice: said, Count: 1}}
	r.Phases[0].Storm = &result.Storm{Cut: 1}
	r.Servers = []result.Server{{Name: said, Source: said, Binary: said, SHA256: said, Version: said, Argv: []string{said}, Env: fact, Profile: said, Slope: map[string]float64{said: 1}}}
	r.Workers = []result.Worker{{Host: said, Lost: said}}
	r.Clock.Method, r.Clock.Source = said, said
	return r
}
