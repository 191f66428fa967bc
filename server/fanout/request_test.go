package fanout

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// answer is a batch with one envelope that has these results.
func answer(rs ...Result) []Envelope {
	var b []byte
	for _, r := range rs {
		b = AppendResult(b, r)
	}
	return []Envelope{{Kind: KindNotice, Payload: []byte{0xff}}, {Kind: KindResult, Payload: b}}
}

func TestAnswersInAnyOrder(t *testing.T) {
	table := NewRequests()
	q, err := table.Open(3)
	if err != nil {
		t.Fatal(err)
	}
	table.Take(answer(Result{ID: q.ID(), Part: 2, Status: 5}, Result{ID: q.ID(), Part: 0, Status: 3, Seq: 9}))
	q.Answer(Result{Part: 1, Status: 4})
	<-q.Done()
	answers, all := q.Await(t.Context())
	want := []Result{{ID: q.ID(), Status: 3, Seq: 9}, {ID: q.ID(), Part: 1, Status: 4}, {ID: q.ID(), Part: 2, Status: 5}}
	if !all || !slices.Equal(answers, want) {
		t.Errorf("%+v, %v; want %+v", answers, all, want)
	}
	if s := table.Stats(); s != (RequestStats{Answered: 3}) {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNotAnAnswer(t *testing.T) {
	table := NewRequests()
	closed, _ := table.Open(1)
	closed.Close()
	closed.Close()
	q, _ := table.Open(1)
	table.Take(answer(Result{ID: closed.ID(), Status: 1}))            // late
	table.Take(answer(Result{ID: q.ID() ^ 1<<50, Status: 1}))         // another process's
	table.Take(answer(Result{ID: q.ID() + 1, Status: 1}))             // never asked
	table.Take(answer(Result{ID: q.ID(), Part: 1, Status: 1}))        // no such part
	table.Take([]Envelope{{Kind: KindResult, Payload: []byte{0x80}}}) // cut
	table.Take(answer(Result{ID: q.ID(), Status: 1, Seq: 1}))
	table.Take(answer(Result{ID: q.ID(), Status: 2, Seq: 2})) // repeated: the first stays
	answers, all := q.Await(t.Context())
	if !all || answers[0].Seq != 1 {
		t.Errorf("%+v, %v", answers, all)
	}
	if s, want := table.Stats(), (RequestStats{Answered: 1, Late: 1, Repeated: 1, Unknown: 2, Invalid: 2}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
}

func TestAwaitHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewRequests()
		q, _ := table.Open(2)
		q.Answer(Result{Part: 1, Status: 1})
		began := time.Now()
		answers, all := q.Await(context.Background())
		if took := time.Since(began); all || took != AwaitTimeout || answers[0].Status != 0 || answers[1].Status != 1 {
			t.Errorf("after %v: %+v, %v", took, answers, all)
		}
		q, _ = table.Open(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, all := q.Await(ctx); all || time.Since(began) != time.Millisecond {
			t.Errorf("after %v: %v", time.Since(began), all)
		}
	})
}

// TestAskIsTold: once, with what there is, by an answer from afar or from here, by time, or at the end.
func TestAskIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewRequests()
		type told struct {
			answers []Result
			all     bool
			after   time.Duration
		}
		var mu sync.Mutex // covers got
		var got []told
		began := time.Now()
		ask := func(parts int, within time.Duration) *Request {
			q, err := table.Ask(parts, within, func(a []Result, all bool) {
				_ = table.Stats() // nothing is locked
				mu.Lock()
				defer mu.Unlock()
				got = append(got, told{slices.Clone(a), all, time.Since(began)})
			})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		q := ask(2, time.Second)
		table.Take(answer(Result{ID: q.ID(), Part: 1, Status: 4}))
		q.Answer(Result{Part: 0, Status: 3})
		q.Answer(Result{Part: 0, Status: 9})                       // late
		table.Take(answer(Result{ID: q.ID(), Part: 1, Status: 9})) // late
		late := ask(2, time.Second)
		late.Answer(Result{Part: 1, Status: 5})
		time.Sleep(2 * time.Second)
		late.Answer(Result{Part: 0, Status: 5})
		end := ask(1, time.Hour)
		table.End()
		table.End()
		end.Answer(Result{Status: 1})
		want := []told{
			{[]Result{{ID: q.ID(), Status: 3}, {ID: q.ID(), Part: 1, Status: 4}}, true, 0},
			{[]Result{{}, {ID: late.ID(), Part: 1, Status: 5}}, false, time.Second},
			{[]Result{{}}, false, 2 * time.Second},
		}
		mu.Lock()
		defer mu.Unlock()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("told %+v\nwant %+v", got, want)
		}
		if s, want := table.Stats(), (RequestStats{Answered: 3, Late: 4}); s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
		if _, err := table.Ask(1, time.Second, nil); !errors.Is(err, ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := table.Open(1); !errors.Is(err, ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
		if a, b := table.ID(), table.ID(); a == b || a == 0 {
			t.Errorf("ids %x, %x", a, b)
		}
	})
}

func TestRequestsAreBounded(t *testing.T) {
	table := NewRequests()
	for _, parts := range []int{0, -1, MaxParts + 1} {
		if _, err := table.Open(parts); err == nil {
			t.Errorf("%d parts are taken", parts)
		}
	}
	var open []*Request
	for range maxOpen / MaxParts {
		q, err := table.Open(MaxParts)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, q)
	}
	if _, err := table.Open(MaxParts); !errors.Is(err, ErrRequests) {
		t.Errorf("one too many: %v", err)
	}
	open[0].Close()
	if _, err := table.Open(MaxParts); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

// TestDedupeModel compares with a map that forgets nothing: what it says was seen within the
// window is what Dedupe says, as long as there are few.
func TestDedupeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const window = 10 * time.Second
		limit := rapid.SampledFrom([]int{8, 1000}).Draw(t, "limit")
		d, now, last := NewDedupe(window, limit), time.Unix(1000, 0), map[uint64]time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			id := rapid.Uint64Range(1, 20).Draw(t, "id")
			seen := d.Seen(&Envelope{Origin: []byte("n1"), ID: id}, now)
			first, was := last[id]
			age := now.Sub(first)
			switch {
			case seen && (!was || age > 2*window+3*time.Second):
				t.Fatalf("id %d is said to have been seen; before that: %v, %v ago", id, was, age)
			case !seen && was && age < window && limit == 1000:
				t.Fatalf("id %d was seen %v ago, which is within %v", id, age, window)
			}
			if !seen {
				last[id] = now
			}
			if n := d.Len(); n > limit {
				t.Fatalf("%d ids are remembered, at most %d may be", n, limit)
			}
			if d.Early() > 0 && limit == 1000 {
				t.Fatal("ids were forgotten early")
			}
		}
	})
}

func TestDedupeTellsApart(t *testing.T) {
	d, now := NewDedupe(time.Minute, 100), time.Now()
	for _, e := range []Envelope{
		{Origin: []byte("a"), ID: 1}, {Origin: []byte("b"), ID: 1}, {Origin: []byte("a"), ID: 2}, {Origin: []byte("a"), ID: 1, Part: 1}, {}, {},
	} {
		if d.Seen(&e, now) {
			t.Errorf("%s %d %d was never seen", e.Origin, e.ID, e.Part)
		}
	}
	if !d.Seen(&Envelope{Origin: []byte("a"), ID: 1}, now) {
		t.Error("a 1 was seen")
	}
}
