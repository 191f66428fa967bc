package chromium

import "strings"

// Screen is what a page is looked at on.
type Screen struct {
	Name          string
	Width, Height int    // px
	Scheme        string // light or dark
}

// Screens are those that every page has to do for.
var Screens = []Screen{
	{"desktop-light", 1280, 900, "light"},
	{"desktop-dark", 1280, 900, "dark"},
	{"phone-light", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

// Check opens the page of a file on a screen: nothing is fetched, nothing is
// complained about, nothing is wider than the screen, and all text can be told
// from what it stands on.
func (b *Browser) Check(path string, s Screen) {
	b.t.Helper()
	b.Screen(s.Width, s.Height, s.Scheme)
	b.Open(path)
	var wide int
	b.Run("document.documentElement.scrollWidth", &wide)
	if wide > s.Width {
		b.none("wider than the screen", `[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, pre, svg') && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 90))`)
		b.t.Errorf("%d px wide on a screen of %d", wide, s.Width)
	}
	b.none("contrast below 4.5", contrast)
	b.none("without a name", `[...document.querySelectorAll('svg[role=img]:not([aria-label]), table:not(:has(th)), section:not([aria-labelledby], :has(h2))')].map((e) => e.outerHTML.slice(0, 90))`)
	b.none("texts cover each other", overlaps)
	if len(b.console) > 0 {
		b.t.Errorf("console: %v", b.console)
	}
	if len(b.requests) != 1 || !strings.HasPrefix(b.requests[0], "file://") {
		b.t.Errorf("requests: %v", b.requests)
	}
}

// none fails for whatever an expression finds.
func (b *Browser) none(what, expression string) {
	b.t.Helper()
	var found []string
	b.Run(expression, &found)
	if len(found) > 0 {
		b.t.Errorf("%s: %v", what, found)
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
