package swarm

import "roost/loadgen/plan"

// A publisher of kept messages that has had no answer does not know whether they
// are stored. With retry it asks again, under the same ids, until it knows, so
// that every message of the plan has to come, once.
//
//	under way --lost, timeout, 503--> again --pause, connection--> under way --answer--> done
//	                                    |
//	                                    +--conceded--> unknown

// retryPause is how long it waits before it asks again, or dials.
const retryPause = 100 * millisecond

const millisecond = 1_000_000 // ns

// statusBusy is an HTTP status by which a server says that it has done nothing
// yet, and may later.
const statusBusy = 503

// again is a request that is to be made again. It is one of stream.flying and of
// the pending ones meanwhile.
type again struct {
	request
	api uint8
	at  int64
}

// sendLater notes a request that is to be made again.
func (w *Worker) sendLater(s *stream, p *post, why error) {
	w.rec.failure(plan.StagePublish, why)
	w.level.pending.Add(1) // whoever took the end of the request subtracts it
	s.again = append(s.again, again{request{p.number, p.due}, p.api, w.now() + retryPause})
}

// sendAgain makes those requests again whose time has come, the oldest first.
func (w *Worker) sendAgain(s *stream, now int64) {
	for len(s.again) > 0 && s.again[0].at <= now && now >= s.pause {
		r := s.again[0]
		a := &w.apis[r.api]
		if _, _, ok := w.postRequest(int(r.api), s, r.request); !ok {
			if a.broken > 0 {
				a.broken--
				w.rec.failure(plan.StagePublish, a.lastErr)
				s.pause = now + retryPause
			} else {
				w.morePosts(int(r.api))
			}
			return
		}
		w.rec.counts(0).Repeated += uint64(s.batch)
		s.again = s.again[1:]
	}
}

// concedeAgain gives up what is to be made again: it may come.
func (w *Worker) concedeAgain(s *stream) {
	for _, r := range s.again {
		s.flying--
		w.level.pending.Add(-1)
		for n := r.number; n < r.number+s.batch; n++ {
			if w.phase.refuse(s.index, n, 0) {
				w.rec.counts(0).Unknown++
			}
		}
	}
	s.again = nil
}
