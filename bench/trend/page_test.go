package trend

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"roost/loadgen/report/chromium"
)

// TestPageInBrowser looks at the page of a history with steps and a file that
// could not be read, and at that of none.
func TestPageInBrowser(t *testing.T) {
	browser := chromium.Start(t)
	runs, problems, err := Read(history(t))
	if err != nil {
		t.Fatal(err)
	}
	full := Analyse(runs, Options{})
	full.Problems = problems
	dir := t.TempDir()
	for name, trend := range map[string]*Trend{"steps": full, "nothing": Analyse(nil, Options{})} {
		var page bytes.Buffer
		if err := trend.HTML(&page); err != nil {
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
