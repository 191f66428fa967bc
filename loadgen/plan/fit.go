package plan

// Fit returns the least-squares line through the points: y = at0 + slope*x.
// ok is false unless there are two different x.
func Fit(x, y []float64) (slope, at0 float64, ok bool) {
	n := float64(min(len(x), len(y)))
	var sx, sy, sxx, sxy float64
	for i := range int(n) {
		sx += x[i]
		sy += y[i]
	}
	mx, my := sx/n, sy/n
	for i := range int(n) {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	if n < 2 || sxx == 0 {
		return 0, 0, false
	}
	slope = sxy / sxx
	return slope, my - slope*mx, true
}
