package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/result/sample"
)

// screens are what the page is looked at on.
var screens = []struct {
	name          string
	width, height int
	scheme        string
}{
	{"desktop-light", 1280, 900, "light"},
	{"desktop-dark", 1280, 900, "dark"},
	{"phone-light", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

// TestPageInBrowser opens the page of each made-up result in a real Chromium:
// nothing is fetched, nothing is complained about, nothing is wider than the
// screen, and all text can be told from what it stands on.
func TestPageInBrowser(t *testing.T) {
	b := startBrowser(t)
	dir := t.TempDir()
	for _, name := range sample.Names {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(render(t, sample.Make(name))), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, s := range screens {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				b.t = t
				b.screen(s.width, s.height, s.scheme)
				b.open(path)
				checkPage(t, b, s.width)
				keepPicture(b, name, s.name, s.width)
			})
		}
	}
	b.t = t
}

func checkPage(t *testing.T, b *browser, width int) {
	var wide int
	b.run("document.documentElement.scrollWidth", &wide)
	if wide > width {
		var who []string
		b.run(`[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, pre, svg') && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 90))`, &who)
		t.Errorf("%d px wide on a screen of %d: %v", wide, width, who)
	}
	var faint []string
	b.run(contrast, &faint)
	if len(faint) > 0 {
		t.Errorf("contrast below 4.5: %v", faint)
	}
	var bad []string
	b.run(`[...document.querySelectorAll('svg[role=img]:not([aria-label]), table:not(:has(th)), section:not([aria-labelledby])')].map((e) => e.outerHTML.slice(0, 90))`, &bad)
	if len(bad) > 0 {
		t.Errorf("without a name: %v", bad)
	}
	var covered []string
	b.run(overlaps, &covered)
	if len(covered) > 0 {
		t.Errorf("texts cover each other: %v", covered)
	}
	// The pointer over the first chart shows values.
	var tip string
	b.run(`(() => {
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
	if len(b.console) > 0 {
		t.Errorf("console: %v", b.console)
	}
	if len(b.requests) != 1 || !strings.HasPrefix(b.requests[0], "file://") {
		t.Errorf("requests: %v", b.requests)
	}
}

// contrast finds texts whose contrast with what they stand on is below 4.5
// (WCAG 2.2, 1.4.3), but for bold ones of 18.66 px and others of 24, for which
// 3 will do.
const contrast = `(() => {
	const rgb = (c) => c.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => { const f = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
	const faint = [];
	for (const e of document.querySelectorAll('body *')) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		if (!own || !e.getClientRects().length || e.closest('script, style, title')) continue;
		const style = getComputedStyle(e);
		const inSVG = e.closest('svg') !== null;
		const grounds = [behind(inSVG ? e.closest('figure') : e)];
		if (inSVG) for (const band of e.closest('svg').querySelectorAll('.band')) { const f = getComputedStyle(band).fill; if (f !== 'none') grounds.push(rgb(f)); }
		const size = parseFloat(style.fontSize);
		const enough = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
		for (const ground of grounds) {
			const [a, b] = [light(rgb(inSVG ? style.fill : style.color)), light(ground)].sort((x, y) => y - x);
			const ratio = (a + 0.05) / (b + 0.05);
			if (ratio < enough) faint.push(e.textContent.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
		}
	}
	return [...new Set(faint)].slice(0, 9);
})()`

// overlaps finds texts of a chart that cover each other.
const overlaps = `(() => {
	const found = [];
	for (const svg of document.querySelectorAll('figure.chart svg')) {
		if (!svg.getClientRects().length) continue;
		const frame = svg.getBoundingClientRect();
		const texts = [...svg.querySelectorAll('text')].map((e) => [e.textContent, e.getBoundingClientRect(), e.getAttribute('class')]);
		for (const [name, box] of texts) if (box.left < frame.left - 2 || box.right > frame.right + 2) found.push(name + ' runs out of the chart');
		for (let i = 0; i < texts.length; i++) for (let k = i + 1; k < texts.length; k++) {
			const [a, b] = [texts[i][1], texts[k][1]];
			const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
			if (w > 1 && h > 4) found.push(texts[i][0] + ' / ' + texts[k][0]);
		}
	}
	return [...new Set(found)].slice(0, 9);
})()`

// kept are the pictures that stay in the repository.
var kept = map[string]bool{"valid desktop-light": true, "storm desktop-dark": true, "errors phone-dark": true, "invalid phone-light": true}

// keepPicture takes a picture: with -update into testdata, with ROOST_SHOTS
// all, in whole, into that folder.
func keepPicture(b *browser, name, screen string, width int) {
	if dir := os.Getenv("ROOST_SHOTS"); dir != "" {
		var high int
		b.run("document.documentElement.scrollHeight", &high)
		for i, top := 0, 0; top < high; i, top = i+1, top+1400 {
			b.shoot(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, screen, i)), top, width, min(1400, high-top))
		}
	}
	if *update && kept[name+" "+screen] {
		b.shoot(filepath.Join("testdata", name+"-"+screen+".png"), 0, width, 1400)
	}
}
