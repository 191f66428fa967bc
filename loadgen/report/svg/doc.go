// Package svg draws charts as SVG that stands inside an HTML page: without a
// script, a font or a colour of its own. Colours are classes (s0, s1, ... of
// series, and axis, grid, band, label); CSS has the style for them, in the
// light and in the dark. Every chart has a title and a description for those
// who do not see it. The same input gives the same bytes.
package svg
