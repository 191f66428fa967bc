package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roost/loadgen/plan"
	"roost/server/wire"
)

func TestKeptCountsEveryMessage(t *testing.T) {
	for name, o := range map[string]Options{
		"single":     {Publishers: 3, Connections: 10},
		"batch":      {Batch: 50},
		"open":       {Rate: 400, Publishers: 8, Loops: 2},
		"open batch": {Rate: 2000, Batch: 20, Protocol: "bin", Size: 10},
		"all":        {All: true, Rate: 5, Hold: 400 * time.Millisecond, Loops: 2},
		"all bin":    {All: true, Protocol: "bin", Connections: 30},
		"one device": {Connections: 1, Batch: 7},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRoost(t)
			o.Mode = ModeKept
			setDefault(&o.Connections, 100)
			o = against(s, o)
			k := mustRun(t, o).Kept
			want := k.Accepted
			if o.All {
				want *= o.Connections
			}
			if k.Accepted == 0 || k.Expected != want || k.Delivered != want || k.Missing+k.Stray+k.Unknown+k.Unacknowledged != 0 || len(k.Refused) > 0 {
				t.Errorf("%d accepted, %+v", k.Accepted, k)
			}
			if k.Open && k.Accepted != k.Planned {
				t.Errorf("%d accepted, %d planned", k.Accepted, k.Planned)
			}
			if k.FromDue.Count != int64(want) || k.API.Count != int64(k.Requests) || k.Requests != k.Accepted/max(o.Batch, 1) {
				t.Errorf("%d latencies, %d requests of which %d are timed", k.FromDue.Count, k.Requests, k.API.Count)
			}
			if o.All && (k.Last.Count != int64(k.Accepted) || k.LastAck.Count != int64(k.Accepted) || k.FromDueToAck.Count != int64(want) || k.Receivers != o.Connections) {
				t.Errorf("all: %+v", k)
			}
			var books struct {
				OK        bool
				Published uint64
				InFlight  uint64 `json:"in_flight"`
			}
			getJSON(t, o.API+"/debug/consistency", &books)
			all := k.Accepted + k.Warmup
			if o.All {
				all *= o.Connections
			}
			if !books.OK || books.Published != uint64(all) {
				t.Errorf("the node's books: %+v, want %d published", books, all)
			}
		})
	}
}

// TestKeptDevicesComeBack: while messages flow, connections are cut by the
// operator, and nothing is lost or doubled by that.
func TestKeptDevicesComeBack(t *testing.T) {
	s := startRoost(t)
	o := against(s, Options{Mode: ModeKept, Connections: 8, Publishers: 2, Hold: 600 * time.Millisecond, Rate: 500})
	ctx, cancel := context.WithCancel(context.Background())
	cut := make(chan int)
	go func() {
		n := 0
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for i := 0; ctx.Err() == nil; i++ {
			req, _ := http.NewRequestWithContext(ctx, http.MethodDelete, fmt.Sprintf("%s/v1/devices/lg-%06d/connection", o.API, i%8+1), nil)
			if resp, err := client.Do(req); err == nil {
				if resp.Body.Close(); resp.StatusCode < 300 {
					n++
				}
			}
			time.Sleep(5 * time.Millisecond) // a pace, not a wait
		}
		cut <- n
	}()
	r, err := Run(context.Background(), o, io.Discard, io.Discard)
	cancel()
	n := <-cut
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 || r.Kept.Missing != 0 || r.Kept.Duplicate != 0 {
		t.Errorf("failures %q, %+v", r.Failures, r.Kept)
	}
	if n < 5 || r.Kept.Returned == 0 {
		t.Errorf("%d connections were cut, %d devices came back: nothing was tried", n, r.Kept.Returned)
	}
}

// liar is between publishers and the API of a node: what happens to the nth
// publish is fault's business.
func liar(t *testing.T, api string, nth int64, fault func(w http.ResponseWriter, forward func() (int, []byte), body *[]byte)) string {
	client := &http.Client{Transport: &http.Transport{}}
	var n atomic.Int64
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
		if r.Method == http.MethodPost && n.Add(1) == nth {
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
	return s.URL
}

const accepted = `{"results":[{"status":"queued","seq":1},{"status":"queued","seq":2}]}`

// TestKeptFaultsAreFound: what a node can do wrong is seen, and what a network
// may do is not held against it.
func TestKeptFaultsAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(w http.ResponseWriter, forward func() (int, []byte), body *[]byte)
		text  string
		right func(k *Kept) bool
	}{
		{"answer lost", func(w http.ResponseWriter, forward func() (int, []byte), _ *[]byte) {
			forward()
			panic(http.ErrAbortHandler)
		}, "", func(k *Kept) bool { return k.Repeats == 1 && k.Known == 2 }},
		{"busy", func(w http.ResponseWriter, _ func() (int, []byte), _ *[]byte) { w.WriteHeader(503) },
			"", func(k *Kept) bool { return k.Repeats == 1 && k.Known == 0 }},
		{"accepted and dropped", func(w http.ResponseWriter, _ func() (int, []byte), _ *[]byte) { io.WriteString(w, accepted) },
			"2 of 20 accepted messages are missing", func(k *Kept) bool { return k.Missing == 2 }},
		{"changed", func(w http.ResponseWriter, forward func() (int, []byte), body *[]byte) {
			i := bytes.Index(*body, []byte(`"payload":"`))
			(*body)[i+30]++
			_, answer := forward()
			w.Write(answer)
		}, "1 messages are not what was published", func(k *Kept) bool { return k.Wrong == 1 && k.Missing == 1 }},
		{"other order", func(w http.ResponseWriter, forward func() (int, []byte), body *[]byte) {
			lines := bytes.SplitAfter(*body, []byte("\n"))
			lines[0], lines[1] = lines[1], lines[0]
			*body = bytes.Join(lines, nil)
			_, answer := forward()
			w.Write(answer)
		}, "1 messages came in another order", func(k *Kept) bool { return k.Disorder == 1 && k.Missing == 0 }},
		{"refused and delivered", func(w http.ResponseWriter, forward func() (int, []byte), _ *[]byte) {
			forward()
			w.WriteHeader(409)
		}, "2 messages came that the node had refused", func(k *Kept) bool { return k.Stray == 2 }},
		{"nonsense", func(w http.ResponseWriter, _ func() (int, []byte), _ *[]byte) { io.WriteString(w, `{"results":[]}`) },
			"2 messages were refused", func(k *Kept) bool { return k.Unknown == 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startRoost(t)
			o := against(s, Options{Mode: ModeKept, Connections: 1, Publishers: 1, Batch: 2, Rate: 100, Size: 40, Warmup: -1, Patience: 300 * time.Millisecond})
			o.API = liar(t, o.API, 5, c.fault)
			r, err := Run(context.Background(), o, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(r.Failures, "\n")
			if c.text == "" && all != "" || !strings.Contains(all, c.text) || !c.right(r.Kept) {
				t.Errorf("failures %q, want %q; %+v", all, c.text, r.Kept)
			}
		})
	}
}

// TestKeeperTellsRepeatsFromDisorder without a node, which would have to have
// forgotten what it must not.
func TestKeeperTellsRepeatsFromDisorder(t *testing.T) {
	for _, all := range []bool{false, true} {
		opt, err := Options{Mode: ModeKept, Connections: 2, All: all, API: "http://127.0.0.1:1"}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		k, err := newKeptLoad(&opt, 7)
		if err != nil {
			t.Fatal(err)
		}
		s := &swarm{opt: &opt, clock: clock{time.Now()}, notify: make(chan struct{}, 1)}
		c := &client{s: s}
		s.clients = []*client{c}
		k.s = s
		r := newKeeper(c, k)
		r.first = 0
		st := &connState{id: 0}
		deliver := func(n uint32) {
			line := k.appendMessage(nil, n)
			m := wire.Message{Seq: 1, ID: append(bytes.Clone(k.id), line[bytes.Index(line, []byte(`"payload":"`))+11:][:roundSize]...),
				Payload: bytes.TrimSuffix(line[bytes.Index(line, []byte(`"payload":`))+10:], []byte("}\n"))}
			k.ledger.open(n).due.Store(1)
			r.deliver(st, &m)
		}
		step := uint32(opt.Publishers) // to the same device, when it is not for all
		deliver(0)
		deliver(2 * step)
		deliver(2 * step) // twice
		deliver(step)     // late
		if all != (k.addressee(step) != 0 || opt.All) {
			t.Fatalf("message %d is for %d", step, k.addressee(step))
		}
		if r.duplicate != 1 || r.disorder != 1 || r.wrong != 0 || c.n.delivered.Load() != 3 {
			t.Errorf("all %v: %d twice, %d out of order, %d wrong, %d delivered", all, r.duplicate, r.disorder, r.wrong, c.n.delivered.Load())
		}
		r.deliver(&connState{id: 1}, &wire.Message{Seq: 1, Payload: []byte(`"x"`)})
		if r.wrong != 1 {
			t.Errorf("all %v: a message of somebody else's is not wrong", all)
		}
		r.said(st)
		if got := plan.Missing(r.acked, 1); all && (len(r.acked) == 0 || got != 0) {
			t.Errorf("%d acknowledgements are not counted of %d", got, len(r.acked))
		}
	}
}

// TestAddresseesAreSharedOut: each publisher goes round devices of its own, and
// together they have all.
func TestAddresseesAreSharedOut(t *testing.T) {
	for _, connections := range []int{1, 2, 5, 16, 17} {
		opt, err := Options{Mode: ModeKept, Connections: connections}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		k := &keptLoad{opt: &opt}
		owner := map[uint32]uint32{}
		times := map[uint32]int{}
		for n := range uint32(opt.Publishers * connections * 3) {
			d, p := k.addressee(n), n%uint32(opt.Publishers)
			if was, ok := owner[d]; ok && was != p || int(d) >= connections {
				t.Fatalf("%d devices: message %d of publisher %d is for device %d, which is %d's", connections, n, p, d, was)
			}
			owner[d] = p
			times[d]++
		}
		if len(times) != connections {
			t.Errorf("%d of %d devices get messages", len(times), connections)
		}
	}
}

func TestLedgerKnowsWhatWasPublished(t *testing.T) {
	var l ledger
	if l.at(5) != nil || l.at(maxNumbers) != nil {
		t.Error("an entry of nothing")
	}
	for _, n := range []uint32{0, 5, ledgerChunk - 1, ledgerChunk, 3 * ledgerChunk, maxNumbers - 1} {
		l.open(n).due.Store(int64(n) + 1)
	}
	var got []uint32
	l.each(func(n uint32, e *entry) {
		if e.due.Load() != int64(n)+1 || l.at(n) != e {
			t.Errorf("entry %d is due at %d", n, e.due.Load())
		}
		got = append(got, n)
	})
	if fmt.Sprint(got) != fmt.Sprint([]uint32{0, 5, ledgerChunk - 1, ledgerChunk, 3 * ledgerChunk, maxNumbers - 1}) {
		t.Errorf("%v", got)
	}
}
