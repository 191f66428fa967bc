package inbox

import "fmt"

func (w *twins) dump() (s string) {
	for id, d := range w.m.devices {
		s += fmt.Sprintf("%s model now %d acked %d: %+v\n", id, w.m.now, d.acked, d.msgs)
		x := w.s.x
		v := x.get(d.ref)
		if v.box != 0 {
			b := x.boxes.at(v.box)
			s += fmt.Sprintf("   box %+v:", *b)
			for i := range b.n {
				it := x.item(b, i)
				s += fmt.Sprint(" ", it)
				if isBody(it) {
					s += fmt.Sprintf("%+v", *x.bodies.at(it))
				}
			}
			s += "\n"
		}
	}
	return s
}
