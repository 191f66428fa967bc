package redisinbox

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestHeard: a message counts where it is behind the one that is known. What cannot be changes nothing.
func TestHeard(t *testing.T) {
	at7 := history{last: 7, sure: place{7, 1}}
	unsure := history{last: 9, sure: place{7, 1}, checks: []place{{9, 3}}}
	for _, row := range []struct {
		name   string
		h      history
		m      place
		before uint32
		want   note
		then   history
	}{
		{"the first", history{}, place{1, 5}, 0, moved, history{last: 1, sure: place{1, 5}}},
		{"the next", at7, place{8, 2}, 1, moved, history{last: 8, sure: place{8, 2}}},
		{"the next, behind another", at7, place{8, 2}, 9, doubt, at7},
		{"the next of an older build", at7, place{8, 2}, 0, ahead, history{last: 8, sure: place{7, 1}, checks: []place{{8, 2}}}},
		{"the next by its number only", at7, place{seq: 8}, 0, ahead, history{last: 8, sure: place{7, 1}}},
		{"further on", at7, place{9, 3}, 2, ahead, unsure},
		{"the same", at7, place{7, 1}, 6, nothing, at7},
		{"the same by its number only", at7, place{seq: 7}, 0, nothing, at7},
		{"another with the number", at7, place{7, 2}, 6, doubt, at7},
		{"older", at7, place{6, 2}, 5, doubt, at7},
		{"nobody knows which", at7, place{0, 2}, 0, doubt, at7},
		{"what was missing comes late", unsure, place{8, 2}, 1, moved, history{last: 9, sure: place{8, 2}, checks: []place{{9, 3}}}},
		{"one behind what is unsure", unsure, place{10, 4}, 3, ahead, history{last: 10, sure: place{7, 1}, checks: []place{{10, 4}}}},
		{"one that is not behind it", unsure, place{10, 4}, 9, doubt, unsure},
		{"further on than that", unsure, place{12, 4}, 9, ahead, history{last: 12, sure: place{7, 1}, checks: []place{{9, 3}, {12, 4}}}},
		{"another with its number", unsure, place{9, 4}, 2, doubt, unsure},
		{"it is there itself", history{last: 9, sure: place{8, 2}, checks: []place{{9, 3}}}, place{9, 3}, 2, moved, history{last: 9, sure: place{9, 3}}},
		{"another is there", history{last: 9, sure: place{8, 2}, checks: []place{{9, 3}}}, place{9, 4}, 2, doubt, history{last: 9, sure: place{8, 2}, checks: []place{{9, 3}}}},
	} {
		h := row.h
		if got := h.heard(row.m, row.before); got != row.want || !reflect.DeepEqual(h, row.then) {
			t.Errorf("%s: %d and %+v, want %d and %+v", row.name, got, h, row.want, row.then)
		}
	}
}

// stream is one in a Redis that failovers set back: the tags of its messages.
type stream []uint32

// has is lost of lua/lib.lua, the other way round.
func (r stream) has(p place) bool {
	return p.seq == 0 || p.seq <= uint64(len(r)) && (p.tag == 0 || r[p.seq-1] == p.tag)
}

// at is its message seq.
func (r stream) at(seq int) (m place, before uint32) {
	if seq > 1 {
		before = r[seq-2]
	}
	return place{uint64(seq), r[seq-1]}, before
}

// inquiry is a question on its way: a look, or what a lane fetches.
type inquiry struct {
	asked history
	redis stream // as it was then
	fetch bool
}

// observer is a node and what its lane has given to a device, beside what Redis has.
type observer struct {
	r     *rand.Rand
	redis stream
	past  stream // what a failover would leave
	news  []func()
	under []inquiry
	h     history
	given []uint32 // by number
	known []place  // that the node has taken in
	lost  bool     // the node has found out
}

func (o *observer) store() {
	o.redis = append(o.redis[:len(o.redis):len(o.redis)], 1+o.r.Uint32())
	m, before := o.redis.at(len(o.redis))
	switch o.r.IntN(8) {
	case 0:
		return // nobody hears of it
	case 1:
		before = 0 // of an older build
	}
	o.news = append(o.news, func() {
		if o.h.heard(m, before) == moved && m.seq == uint64(len(o.given))+1 && !o.fetching() {
			o.given = append(o.given, m.tag)
		}
		if o.h.sure == m || slices.Contains(o.h.checks, m) {
			o.known = append(o.known, m)
		}
	})
}

func (o *observer) fetching() bool {
	return slices.ContainsFunc(o.under, func(q inquiry) bool { return q.fetch })
}

// hear has one of the next three news arrive.
func (o *observer) hear() {
	if len(o.news) > 0 {
		i := o.r.IntN(min(3, len(o.news)))
		o.news[i]()
		o.news = slices.Delete(o.news, i, i+1)
	}
}

func (o *observer) ask(fetch bool) {
	if !fetch || !o.fetching() {
		o.under = append(o.under, inquiry{o.h, o.redis, fetch})
	}
}

// answer takes the answer to one of the questions.
func (o *observer) answer() {
	if len(o.under) == 0 {
		return
	}
	i := o.r.IntN(len(o.under))
	q := o.under[i]
	o.under = slices.Delete(o.under, i, i+1)
	if !q.redis.has(q.asked.sure) || !q.redis.has(place{seq: q.asked.last}) ||
		slices.ContainsFunc(q.asked.checks, func(p place) bool { return !q.redis.has(p) }) {
		o.lost = true
		return
	}
	var at place
	if n := len(q.redis); n > 0 {
		at, _ = q.redis.at(n)
	}
	if _, ok := o.h.answered(&q.asked, at); ok && q.fetch && len(q.redis) > len(o.given) {
		o.given = append(o.given, q.redis[len(o.given):]...)
	}
}

// TestHistoryHidesNothing: whatever is stored, lost by failovers, heard of out of order or not at all, and answered late:
// where a node goes on without a new stream, Redis has all that a device was given and the node has taken in.
func TestHistoryHidesNothing(t *testing.T) {
	const seeds = 10_000
	found := 0
	for seed := range uint64(seeds) {
		o := &observer{r: rand.New(rand.NewPCG(seed, 7))}
		for range 40 {
			switch o.r.IntN(9) {
			case 0, 1:
				o.store()
			case 2, 3:
				o.hear()
			case 4:
				o.ask(true)
			case 5:
				o.ask(o.r.IntN(2) == 0)
			case 6:
				o.answer()
			case 7:
				o.past = o.redis
			case 8:
				if o.r.IntN(3) == 0 {
					o.redis = o.past
				}
			}
		}
		for len(o.under) > 0 {
			o.answer()
		}
		for range 2 { // sweeps
			o.ask(false)
			o.answer()
		}
		if o.lost {
			found++
			continue
		}
		for i, tag := range o.given {
			o.known = append(o.known, place{uint64(i + 1), tag})
		}
		for _, m := range o.known {
			if !o.redis.has(m) {
				t.Fatalf("seed %d: %+v is not in what Redis has, %v, and the node does not know: %+v", seed, m, o.redis, o.h)
			}
		}
	}
	if found < seeds/20 || found > seeds-seeds/20 {
		t.Errorf("%d of %d were found to have lost something: it is not tested", found, seeds)
	}
}

// TestAsks: what scripts are given has a fixed form (lua/lib.lua).
func TestAsks(t *testing.T) {
	h := history{last: 7, sure: place{7, 0x01020304}}
	if seq, tag := h.asks(); seq != "7" || tag != "\x01\x02\x03\x04" {
		t.Errorf("%q %q", seq, tag)
	}
	h = history{last: 1<<48 - 1, sure: place{7, 0x01020304}, checks: []place{{256, 0x05060708}}}
	want := "\x01\x02\x03\x04" + "\x05\x06\x07\x08\x00\x00\x00\x00\x01\x00" + "\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"
	if seq, tag := h.asks(); seq != "7" || tag != want {
		t.Errorf("%q %q, want %q", seq, tag, want)
	}
}
