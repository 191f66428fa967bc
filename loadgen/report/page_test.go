package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/report/chromium"
	"roost/loadgen/result/sample"
)

// TestPageInBrowser opens the page of each made-up result in a real Chromium:
// nothing is fetched, nothing is complained about, nothing is wider than the
// screen, and all text can be told from what it stands on.
func TestPageInBrowser(t *testing.T) {
	b := chromium.Start(t)
	dir := t.TempDir()
	for _, name := range sample.Names {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(render(t, sample.Make(name))), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, s := range chromium.Screens {
			t.Run(name+"/"+s.Name, func(t *testing.T) {
				b.Within(t)
				b.Check(path, s)
				checkPointer(t, b)
				keepPicture(b, name, s.Name, s.Width)
			})
		}
	}
	b.Within(t)
}

// checkPointer: the pointer over the first chart shows values.
func checkPointer(t *testing.T, b *chromium.Browser) {
	var tip string
	b.Run(`(() => {
		const svg = [...document.querySelectorAll('figure.chart svg')].find((e) => e.getClientRects().length);
		if (!svg) return 'none';
		const box = svg.querySelector('.plot').getBoundingClientRect();
		svg.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 4, clientY: box.top + 5 }));
		const tip = svg.closest('figure').querySelector('.tip');
		const text = tip.hidden ? '' : tip.textContent;
		svg.dispatchEvent(new PointerEvent('pointerleave'));
		return tip.hidden ? text : 'stays';
	})()`, &tip)
	if tip != "none" && !strings.ContainsAny(tip, "0123456789") {
		t.Errorf("the pointer shows %q", tip)
	}
}

// kept are the pictures that stay in the repository.
var kept = map[string]bool{"valid desktop-light": true, "storm desktop-dark": true, "errors phone-dark": true, "invalid phone-light": true}

// keepPicture takes a picture: with -update into testdata, with ROOST_SHOTS
// all, in whole, into that folder.
func keepPicture(b *chromium.Browser, name, screen string, width int) {
	if dir := os.Getenv("ROOST_SHOTS"); dir != "" {
		var high int
		b.Run("document.documentElement.scrollHeight", &high)
		for i, top := 0, 0; top < high; i, top = i+1, top+1400 {
			b.Shoot(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, screen, i)), top, width, min(1400, high-top))
		}
	}
	if *update && kept[name+" "+screen] {
		b.Shoot(filepath.Join("testdata", name+"-"+screen+".png"), 0, width, 1400)
	}
}
