package server

import "roost/server/metrics"

// writeMoves writes who connects, and who was sent elsewhere.
func (s *Server) writeMoves(w *metrics.Writer) {
	k := s.cluster
	w.Sample(metrics.Doors, float64(s.opening.Load()))
	w.Sample(metrics.Alone, float64(k.alone.Load()))
	w.Sample(metrics.CutOff, bit(k.cut.Load()))
	w.Sample(metrics.Window, float64(s.spread())/1000, "gone", "node")
	w.Sample(metrics.Window, float64(s.wide())/1000, "gone", "all")
	w.Sample(metrics.Away, float64(k.moves.redirected.Load()), "why", "connect")
	for kind, name := range roundNames {
		w.Sample(metrics.Away, float64(k.moves.told[kind].Load()), "why", name)
	}
	w.Sample(metrics.Deaf, float64(k.moves.deaf.Load()))
	w.Sample(metrics.Overtaken, float64(k.overtaken.same.Load()), "session", "same")
	w.Sample(metrics.Overtaken, float64(k.overtaken.others.Load()), "session", "other")
}
