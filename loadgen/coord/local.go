package coord

import (
	"roost/loadgen/plan"
	"roost/loadgen/validity"
)

// local sums up the errors of all phases that are the generator's own fault.
func (r *run) local() (sum validity.Local) {
	most := uint64(0)
	for _, p := range r.phases {
		for _, e := range p.tally.Errors.Lines() {
			if !plan.Local(e.Class) {
				continue
			}
			sum.Errors += e.N
			if e.N > most {
				most, sum.Class, sum.Advice = e.N, e.Class, plan.Advice(e.Stage, e.Class, e.Text)
			}
		}
	}
	return sum
}
