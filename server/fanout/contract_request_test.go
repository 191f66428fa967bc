package fanout

import (
	"errors"
	"sync/atomic"
	"testing"
)

func testRequests(t *testing.T, w *world) {
	table := NewRequests()
	a := w.start(t, "a", func(_ *node, o *Options) { o.Handlers.Replies = table.Take })
	b := w.start(t, "b", func(n *node, _ *Options) {
		n.on = func(n *node, batch []Envelope) {
			// One envelope answers all questions of a batch.
			var results []byte
			for i := range batch {
				results = AppendResult(results, Result{ID: batch[i].ID, Part: batch[i].Part, Status: 1, Seq: uint64(batch[i].Part) + 100})
			}
			n.Post(ToNode(string(batch[0].Origin)), &Envelope{Kind: KindResult, Payload: results}, nil)
		}
	})
	for range 20 {
		q, err := table.Open(51)
		if err != nil {
			t.Fatal(err)
		}
		for part := range uint32(50) {
			a.Post(ToNode(b.id), &Envelope{Kind: KindPublish, ID: q.ID(), Part: part}, nil)
		}
		a.Post(ToNode("nobody"), &Envelope{Kind: KindPublish, ID: q.ID(), Part: 50}, func(n int, err error) {
			if n == 0 {
				q.Answer(Result{Part: 50, Status: 9})
			}
		})
		answers, all := q.Await(t.Context())
		if !all {
			t.Fatalf("not all answers: %+v", table.Stats())
		}
		for part, r := range answers[:50] {
			if r.Seq != uint64(part)+100 || r.Status != 1 {
				t.Fatalf("part %d: %+v", part, r)
			}
		}
		if answers[50].Status != 9 {
			t.Fatalf("nobody answered: %+v", answers[50])
		}
	}
	if s := table.Stats(); s != (RequestStats{Answered: 20 * 51}) {
		t.Errorf("%+v", s)
	}
}

// testReplyFromHandler: nodes that answer each other from their handlers do not stand still.
func testReplyFromHandler(t *testing.T, w *world) {
	const rounds = 300
	pong := func(n *node, batch []Envelope) {
		for i := range batch {
			if e := &batch[i]; e.Seq < rounds {
				n.Post(ToNode(string(e.Origin)), &Envelope{Kind: KindNotice, Seq: e.Seq + 1}, nil)
			}
		}
	}
	set := func(n *node, _ *Options) { n.on = pong }
	a, b := w.start(t, "a", set), w.start(t, "b", set)
	a.must(ToNode("b"), &Envelope{Kind: KindNotice, Seq: 1}, 1)
	a.await("the last one", func() bool { return len(a.payloads(QueueInbox))+len(b.payloads(QueueInbox)) == rounds })
}

func testClose(t *testing.T, w *world) {
	files := openFiles()
	a := w.start(t, "a", nil)
	b := w.start(t, "b", nil)
	if err := joinAndWait(t.Context(), a, "x"); err != nil {
		t.Fatal(err)
	}
	var open atomic.Int64
	for range 1000 {
		open.Add(1)
		a.Post(ToNode("b"), live("x"), func(int, error) { open.Add(-1) })
	}
	a.Join("y", func(error) { open.Add(-1) })
	open.Add(1)
	a.Close()
	if n := open.Load(); n != 0 {
		t.Errorf("%d done functions were not called when Close returned", n)
	}
	a.Close() // once more: nothing
	if _, err := sendAndWait(t.Context(), a, ToNode("b"), live("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("sending on a closed bus: %v", err)
	}
	if err := joinAndWait(t.Context(), a, "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("joining on a closed bus: %v", err)
	}
	a.Leave("x")
	if s := a.State(); s.Up || s.Reason != "closed" {
		t.Errorf("%+v", s)
	}
	b.Close()
	a.await("descriptors are closed", func() bool { return openFiles() <= files+4 }) // epoll and its like, at first use
}
