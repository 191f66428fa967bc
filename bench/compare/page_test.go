package compare

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"roost/loadgen/report/chromium"
	"roost/loadgen/result"
)

// TestPageInBrowser looks at the page of a comparison with everything in it, of
// one that is INVALID and of one that cannot be made.
func TestPageInBrowser(t *testing.T) {
	browser := chromium.Start(t)
	a, b := sides(10, 1.04, 0.008, 3)
	regressed, err := Compare(a, b, Options{Notes: []string{"2 invalid runs were repeated"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Runs[3] = made{cpu: 2000, latency: 4, kernel: "6.19", verdict: result.Invalid}.run("b4", 9)
	apart, err := Compare(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	invalid, err := Compare(a, b, Options{Ignore: []string{"kernel"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, c := range map[string]*Comparison{"regressed": regressed, "invalid": invalid, "not-comparable": apart} {
		var page bytes.Buffer
		if err := c.HTML(&page); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, s := range chromium.Screens {
			t.Run(name+"/"+s.Name, func(t *testing.T) {
				browser.Within(t)
				browser.Check(path, s)
			})
		}
	}
	browser.Within(t)
}
