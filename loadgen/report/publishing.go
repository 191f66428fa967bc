package report

import "roost/loadgen/result"

// publishTable is how the API answered, in phases whose publishers waited for
// acknowledgements or asked again.
func publishTable(r *result.Result) table {
	t := table{title: "Publishing", note: "Messages; acknowledgements are of messages x receivers, when the API answered. Without warm-up.", names: 1,
		head: []string{"phase", "sent", "refused", "unknown", "sent again", "acknowledged", "not acknowledged"}}
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Tally == nil || p.Warmup {
			continue
		}
		c := p.Tally.Total()
		if c.Repeated+c.Acknowledged+c.Unacknowledged == 0 {
			continue
		}
		t.rows = append(t.rows, row{cells: []string{phaseName(p), integer(c.Sent), integer(c.Refused), integer(c.Unknown),
			integer(c.Repeated), integer(c.Acknowledged), integer(c.Unacknowledged)}})
	}
	return t
}
