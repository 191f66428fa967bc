package report

import (
	"bytes"
	"strings"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

// TestPublishingIsShown where publishers waited or asked again, and only there.
func TestPublishingIsShown(t *testing.T) {
	r := sample.Make(sample.Names[0])
	show := func() (text, page string) {
		var a, b bytes.Buffer
		if err := Text(&a, r, 120); err != nil {
			t.Fatal(err)
		}
		if err := HTML(&b, r); err != nil {
			t.Fatal(err)
		}
		return a.String(), b.String()
	}
	if text, page := show(); strings.Contains(text, "acknowledged") || strings.Contains(page, "acknowledged") {
		t.Error("shown without any")
	}
	var last *result.Phase
	for i := range r.Phases {
		if !r.Phases[i].Warmup {
			last = &r.Phases[i]
		}
	}
	c := &last.Tally.Groups[0].Counts
	c.Repeated, c.Acknowledged, c.Unacknowledged = 7_171, 8_181, 9_191
	text, page := show()
	for _, want := range []string{"7,171", "8,181", "9,191", "not acknowledged"} {
		if !strings.Contains(text, want) || !strings.Contains(page, want) {
			t.Errorf("no %s:\n%s", want, text)
		}
	}
}
