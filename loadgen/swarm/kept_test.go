package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
	"roost/server"
)

// keptPhase publishes kept messages.
func keptPhase(p scenario.Publish, rate float64, d time.Duration) scenario.Phase {
	phase := publish(p.To, rate, d)
	p.Class, p.TTL, p.Arrival, p.Size = "kept", time.Minute, phase.Publish[0].Arrival, phase.Publish[0].Size
	p.Arrival.Burst = p.Batch
	phase.Publish[0] = p
	return phase
}

// liar is between publishers and the API of a node: what happens to request nth
// is fault's business. It counts requests.
func liar(t *testing.T, api string, nth int64, fault func(w http.ResponseWriter, forward func() (int, []byte), body *[]byte)) (url string, requests *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{}}
	requests = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		forward := func() (int, []byte) {
			req, _ := http.NewRequest(r.Method, api+r.URL.Path, bytes.NewReader(body))
			req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return 500, nil
			}
			defer resp.Body.Close()
			answer, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, answer
		}
		if requests.Add(1) == nth {
			fault(w, forward, &body)
			return
		}
		status, answer := forward()
		w.WriteHeader(status)
		w.Write(answer)
	}))
	t.Cleanup(func() {
		s.Close()
		client.CloseIdleConnections()
	})
	return s.URL, requests
}

// TestKeptRequests: messages go in requests of so many, each is accounted for by
// itself, and the node's books say the same.
func TestKeptRequests(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       scenario.Publish
		rate    float64 // due times
		workers int
		format  string
		want    scenario.Publish // of what is sent in 300 ms: Batch requests, Among messages
		acked   uint64
	}{
		{"single", scenario.Publish{To: scenario.ToDevice, Batch: 1}, 200, 1, "json", scenario.Publish{Batch: 60, Among: 60}, 0},
		{"batches", scenario.Publish{To: scenario.ToDevice, Batch: 20}, 50, 1, "json", scenario.Publish{Batch: 15, Among: 300}, 0},
		{"batches of two workers", scenario.Publish{To: scenario.ToDevice, Batch: 10}, 100, 2, "bin", scenario.Publish{Batch: 30, Among: 300}, 0},
		{"batches to topics", scenario.Publish{To: scenario.ToTopic, Batch: 10}, 20, 2, "json", scenario.Publish{Batch: 6, Among: 60}, 0},
		{"batches to all", scenario.Publish{To: scenario.ToAll, Batch: 5}, 10, 1, "json", scenario.Publish{Batch: 3, Among: 15}, 0},
		{"waiting", scenario.Publish{To: scenario.ToDevice, Batch: 1, Wait: 10 * time.Second}, 100, 2, "bin", scenario.Publish{Batch: 30, Among: 30}, 30},
		{"waiting in batches", scenario.Publish{To: scenario.ToDevice, Batch: 10, Wait: 10 * time.Second}, 10, 1, "json", scenario.Publish{Batch: 3, Among: 30}, 30},
		{"all waited for", scenario.Publish{To: scenario.ToAll, Batch: 1, Wait: 10 * time.Second, InFlight: 1}, 10, 1, "json", scenario.Publish{Batch: 3, Among: 3}, 3 * 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := startRoost(t)
			s := roostScenario([]*server.Server{node}, 40, ramp(40), keptPhase(c.p, c.rate, 300*time.Millisecond))
			s.Target.Format = c.format
			s.Topics = scenario.Topics{Count: 5, PerClient: 2, Zipf: 1, Prefix: "t"}
			var requests *atomic.Int64
			s.Target.APIs[0], requests = liar(t, s.Target.APIs[0], 0, nil)
			r := newRig(t, s, c.workers)
			r.run(0)
			n := r.run(1)
			if n.Planned != uint64(c.want.Among) || n.Sent != n.Planned || n.Missing+n.Gap+n.Stray+n.Wrong+n.Duplicate+n.Refused+n.Unknown+n.Late != 0 || n.Delivered == 0 {
				t.Errorf("%+v\n%+v", n, r.sum.Errors)
			}
			if int(requests.Load()) != c.want.Batch || r.sum.Hists[tally.PublishAck].Count() != n.Sent || r.sum.Hists[tally.SendLag].Count() != n.Sent {
				t.Errorf("%d requests, want %d; %d answered of %d", requests.Load(), c.want.Batch, r.sum.Hists[tally.PublishAck].Count(), n.Sent)
			}
			if n.Acknowledged != c.acked || n.Unacknowledged != 0 {
				t.Errorf("%d acknowledged, want %d; %d not", n.Acknowledged, c.acked, n.Unacknowledged)
			}
			if c.p.To == scenario.ToDevice && n.Delivered != n.Sent || c.p.To == scenario.ToAll && n.Delivered != 40*n.Sent {
				t.Errorf("%d delivered of %d", n.Delivered, n.Sent)
			}
			var books struct {
				OK        bool
				Published uint64
			}
			getJSON(t, "http://"+node.APIAddr().String()+"/debug/consistency", &books)
			if !books.OK || books.Published != n.Delivered {
				t.Errorf("the node's books: %+v, want %d published", books, n.Delivered)
			}
		})
	}
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// TestWaitEndsUnacknowledged: who does not read has not acknowledged when the
// wait is over, and only then is there an answer.
func TestWaitEndsUnacknowledged(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 20, ramp(20),
		keptPhase(scenario.Publish{To: scenario.ToAll, Batch: 1, Wait: 100 * time.Millisecond}, 10, 150*time.Millisecond))
	s.Groups = []scenario.Group{
		{Name: "healthy", Share: .75, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true},
		{Name: "never", Share: .25, Read: scenario.Read{Mode: scenario.ReadNever}, AnswerPing: true},
	}
	r := newRig(t, s, 1)
	r.run(0)
	n := r.run(1)
	if h := r.sum.Hists[tally.PublishAck]; n.Sent != 2 || n.Unacknowledged < 2*5 || n.Acknowledged+n.Unacknowledged != 2*20 || h.Min() < int64(95*time.Millisecond) {
		t.Errorf("%d sent, %d acknowledged, %d not, answered after %v", n.Sent, n.Acknowledged, n.Unacknowledged, time.Duration(h.Min()))
	}
}

// TestInFlightBoundsRequests: an API that takes its time has no more of them.
func TestInFlightBoundsRequests(t *testing.T) {
	for _, most := range []int{1, 3} {
		var under, seen atomic.Int64
		release := make(chan struct{})
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := under.Add(1)
			defer under.Add(-1)
			for m := seen.Load(); n > m && !seen.CompareAndSwap(m, n); m = seen.Load() {
			}
			<-release
			io.WriteString(w, `{"results":[{"device":"a","status":"queued"}]}`)
		}))
		node := startRoost(t)
		s := roostScenario([]*server.Server{node}, 5, ramp(5), keptPhase(scenario.Publish{To: scenario.ToDevice, Batch: 1, InFlight: most}, 500, 60*time.Millisecond))
		s.Target.APIs[0] = api.URL
		r := newRig(t, s, 1)
		r.run(0)
		r.begin(1)
		r.await("requests", func() bool { return under.Load() == int64(most) && r.tick().Total().Planned == 30 })
		close(release)
		r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
		r.finish(nil)
		if c := r.sum.Total(); seen.Load() != int64(most) || c.Sent != 30 || c.Missing != 30 { // that API delivers nothing
			t.Errorf("%d requests at once, want %d: %+v", seen.Load(), most, c)
		}
		api.Close()
	}
}

const twoAccepted = `{"results":[{"status":"queued","seq":1},{"status":"queued","seq":2}]}`

// TestKeptFaultsAreFound: what a node can do wrong to one request of two messages
// is seen, message by message, and what a network may do is not held against it.
func TestKeptFaultsAreFound(t *testing.T) {
	type forward = func() (int, []byte)
	for _, c := range []struct {
		name  string
		fault func(w http.ResponseWriter, f forward, body *[]byte)
		want  tally.Counts // of 20 messages, beside those that are right
	}{
		{"answer lost", func(w http.ResponseWriter, f forward, _ *[]byte) {
			f()
			panic(http.ErrAbortHandler)
		}, tally.Counts{Unknown: 2, Delivered: 20}},
		{"connection lost", func(http.ResponseWriter, forward, *[]byte) { panic(http.ErrAbortHandler) },
			tally.Counts{Unknown: 2, Missing: 2, Delivered: 18}},
		{"answer lost, asked again", func(w http.ResponseWriter, f forward, _ *[]byte) {
			f()
			panic(http.ErrAbortHandler)
		}, tally.Counts{Repeated: 2, Delivered: 20}},
		{"connection lost, asked again", func(http.ResponseWriter, forward, *[]byte) { panic(http.ErrAbortHandler) },
			tally.Counts{Repeated: 2, Delivered: 20}},
		{"busy, asked again", func(w http.ResponseWriter, _ forward, _ *[]byte) { w.WriteHeader(503) },
			tally.Counts{Repeated: 2, Delivered: 20}},
		{"busy", func(w http.ResponseWriter, _ forward, _ *[]byte) { w.WriteHeader(503) }, tally.Counts{Refused: 2, Delivered: 18}},
		{"one is full", func(w http.ResponseWriter, f forward, body *[]byte) {
			*body = append((*body)[:bytes.IndexByte(*body, '\n')], '\n')
			f()
			io.WriteString(w, `{"results":[{"status":"queued","seq":1},{"status":"refused","reason":"inbox_full"}]}`)
		}, tally.Counts{Refused: 1, Delivered: 19}},
		{"accepted and dropped", func(w http.ResponseWriter, _ forward, _ *[]byte) { io.WriteString(w, twoAccepted) },
			tally.Counts{Missing: 2, Delivered: 18}},
		{"changed", func(w http.ResponseWriter, f forward, body *[]byte) {
			(*body)[bytes.Index(*body, []byte(`"payload":"`))+80]++
			_, answer := f()
			w.Write(answer)
		}, tally.Counts{Wrong: 1, Missing: 1, Delivered: 19}},
		{"other order", func(w http.ResponseWriter, f forward, body *[]byte) {
			lines := bytes.SplitAfter(*body, []byte("\n"))
			lines[0], lines[1] = lines[1], lines[0]
			*body = bytes.Join(lines, nil)
			_, answer := f()
			w.Write(answer)
		}, tally.Counts{Reordered: 1, Delivered: 20}},
		{"stored twice", func(w http.ResponseWriter, f forward, body *[]byte) {
			f()
			*body = bytes.ReplaceAll(*body, []byte(`,"id":"`), []byte(`,"id":"x`)) // or a node would know them
			_, answer := f()
			w.Write(answer)
		}, tally.Counts{Duplicate: 2, Delivered: 20}},
		{"nonsense", func(w http.ResponseWriter, _ forward, _ *[]byte) { io.WriteString(w, `{"results":[]}`) },
			tally.Counts{Refused: 2, Delivered: 18}},
		{"of one only", func(w http.ResponseWriter, f forward, body *[]byte) {
			*body = append((*body)[:bytes.IndexByte(*body, '\n')], '\n')
			_, answer := f()
			w.Write(answer)
		}, tally.Counts{Unknown: 1, Missing: 1, Delivered: 19}},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := startRoost(t)
			s := roostScenario([]*server.Server{node}, 1, ramp(1), keptPhase(scenario.Publish{To: scenario.ToDevice, Batch: 2, InFlight: 1,
				Retry: strings.Contains(c.name, "asked again")}, 50, 200*time.Millisecond))
			s.Target.APIs[0], _ = liar(t, s.Target.APIs[0], 5, c.fault)
			r := newRig(t, s, 1)
			r.run(0)
			r.begin(1)
			r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
			r.finish(func() bool {
				n := r.sum.Total()
				return n.Delivered+n.Wrong+n.Duplicate >= c.want.Delivered+c.want.Wrong+c.want.Duplicate
			})
			n := r.sum.Total()
			got := tally.Counts{Unknown: n.Unknown, Refused: n.Refused, Missing: n.Missing, Wrong: n.Wrong, Duplicate: n.Duplicate, Reordered: n.Reordered,
				Repeated: n.Repeated, Stray: n.Stray, Gap: n.Gap, Delivered: n.Delivered}
			if got != c.want || n.Sent != 20 {
				t.Errorf("%+v\nwant %+v\n%+v", n, c.want, r.sum.Errors)
			}
		})
	}
}

// TestStraysAreFound: what was refused, and comes all the same.
func TestStraysAreFound(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 1, ramp(1), keptPhase(scenario.Publish{To: scenario.ToDevice, Batch: 2, InFlight: 1}, 50, 200*time.Millisecond))
	refused := make(chan func() (int, []byte), 1)
	s.Target.APIs[0], _ = liar(t, s.Target.APIs[0], 5, func(w http.ResponseWriter, forward func() (int, []byte), _ *[]byte) {
		w.WriteHeader(409)
		refused <- forward
	})
	r := newRig(t, s, 1)
	r.run(0)
	r.begin(1)
	deliver := <-refused
	r.await("refusal", func() bool { return r.tick().Total().Refused == 2 })
	deliver()
	r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
	r.finish(func() bool { n := r.sum.Total(); return n.Delivered+n.Stray == 20 })
	if n := r.sum.Total(); n.Stray != 2 || n.Delivered != 18 || n.Missing != 0 {
		t.Errorf("%+v", n)
	}
}

// TestKeptOverReconnects: while messages flow, one after the other, connections
// are cut by the operator: everything comes, once and in order, to one as to all.
func TestKeptOverReconnects(t *testing.T) {
	for _, c := range []struct {
		to     scenario.Audience
		format string
		rate   float64
		want   uint64
	}{{scenario.ToDevice, "json", 500, 300}, {scenario.ToAll, "bin", 100, 60 * 8}, {scenario.ToTopic, "json", 100, 0}} {
		t.Run(string(c.to), func(t *testing.T) {
			node := startRoost(t)
			s := roostScenario([]*server.Server{node}, 8, ramp(8), keptPhase(scenario.Publish{To: c.to, Batch: 1, InFlight: 1}, c.rate, 600*time.Millisecond))
			s.Target.Format = c.format
			s.Topics = scenario.Topics{Count: 3, PerClient: 2, Prefix: "t"}
			r := newRig(t, s, 1)
			r.run(0)
			r.begin(1)
			n := cutInTurn(t, node, "c", 8, func() bool { return r.progress().PlanDone })
			r.await("everybody", func() bool { p := r.progress(); return p.PlanDone && p.Connected == 8 && p.Pending == 0 })
			r.finish(r.settled())
			got := r.sum.Total()
			r.conserve(got)
			if got.Missing+got.Gap+got.Duplicate+got.Reordered+got.Wrong+got.Stray+got.Refused+got.Unknown != 0 || c.want != 0 && got.Delivered != c.want || got.Delivered == 0 {
				t.Errorf("%+v", got)
			}
			if n < 5 || got.Restored < 5 {
				t.Errorf("%d connections were cut, %d came back: nothing was tried", n, got.Restored)
			}
		})
	}
}

// cutInTurn has a node end the connections of its devices, one after the other,
// until done.
func cutInTurn(t *testing.T, node *server.Server, prefix string, devices int, done func() bool) (n int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; !done(); i++ {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodDelete,
			fmt.Sprintf("http://%s/v1/devices/%s%06d/connection", node.APIAddr(), prefix, i%devices+1), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			if resp.Body.Close(); resp.StatusCode < 300 {
				n++
			}
		}
		time.Sleep(5 * time.Millisecond) // a pace, not a wait
	}
	return n
}
