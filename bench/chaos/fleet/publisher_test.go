package fleet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/bench/chaos/ledger"
)

// moody is an API that answers each message badly in every way before it answers
// it well.
type moody struct {
	t     *testing.T
	mu    sync.Mutex
	tries map[string]int // by id
	seq   uint64
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var results []map[string]any
	worst := http.StatusOK
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		var msg struct {
			Device, ID string
			Payload    struct{ N int }
		}
		if err := json.Unmarshal(s.Bytes(), &msg); err != nil || ID(msg.Payload.N) != msg.ID || !strings.HasPrefix(msg.Device, "dev-") {
			m.t.Errorf("%s: %v", s.Bytes(), err)
		}
		m.tries[msg.ID]++
		m.seq++
		switch try := m.tries[msg.ID]; {
		case try == 1:
			panic(http.ErrAbortHandler) // the connection is cut
		case try == 2:
			http.Error(w, "what is this", http.StatusBadGateway)
			return
		case try == 3:
			w.Header().Set("Retry-After", "0")
			worst = http.StatusServiceUnavailable
			results = append(results, map[string]any{"status": "refused", "reason": "store"})
		case msg.Payload.N%10 == 3:
			results = append(results, map[string]any{"status": "refused", "reason": "inbox_full"})
		case msg.Payload.N%10 == 4:
			results = append(results, map[string]any{"status": "unknown"})
		default:
			status := []string{"written", "queued", "offline", "acknowledged"}[msg.Payload.N%4]
			results = append(results, map[string]any{"status": status, "seq": m.seq})
		}
	}
	w.WriteHeader(worst)
	json.NewEncoder(w).Encode(map[string]any{"results": results, "detail": "the store cannot write"})
}

// TestPublisherRepeats: whatever a request meets, each message has its one answer in
// the end, under its own id.
func TestPublisherRepeats(t *testing.T) {
	m := &moody{t: t, tries: map[string]int{}}
	s := httptest.NewServer(m)
	defer s.Close()
	l := ledger.New(5)
	start := time.Now()
	p := Publish(PublisherOptions{APIs: []string{s.URL}, Rate: 400, Batch: 1, Devices: 5,
		Name: func(d int) string { return name("dev", d) }, Ledger: l, Start: start})
	await(t, "60 are published", func() bool { return l.Account().Published >= 60 })
	p.Stop(patience)
	a := l.Account()
	refused := 0
	for n := range a.Published {
		if n%10 == 3 || n%10 == 4 {
			refused++
		}
	}
	if a.Unanswered != 0 || a.Refused != refused || a.Accepted != a.Published-refused || a.Repeats != 3*a.Published {
		t.Errorf("%+v, want %d refused", a, refused)
	}
	var reasons []string
	for why, n := range p.Reasons() {
		reasons = append(reasons, fmt.Sprintf("%s: %d", why, n))
	}
	slices.Sort(reasons)
	if !slices.ContainsFunc(reasons, func(s string) bool { return strings.HasPrefix(s, "HTTP 503: the store cannot write") }) ||
		!slices.ContainsFunc(reasons, func(s string) bool { return strings.HasPrefix(s, "refused inbox_full") }) {
		t.Errorf("reasons: %q", reasons)
	}
	if p.Late() < 0 {
		t.Errorf("late by %v", p.Late())
	}
	p.Stop(0) // again
}

// TestPublisherGivesUp: what nobody answers stays without an answer, and Stop ends.
func TestPublisherGivesUp(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close() // nobody listens
	l := ledger.New(1)
	p := Publish(PublisherOptions{APIs: []string{s.URL}, Rate: 100, Batch: 2, Devices: 1,
		Name: func(int) string { return "dev-0" }, Ledger: l, Start: time.Now()})
	await(t, "some are due", func() bool { return l.Account().Published >= 10 })
	p.Stop(50 * time.Millisecond)
	if a := l.Account(); a.Unanswered != a.Published || len(a.Faults(false)) != 1 {
		t.Errorf("%+v", a)
	}
}

// TestNodesRest: a node that gave no answer rests, unless all do.
func TestNodesRest(t *testing.T) {
	p := &Publisher{o: PublisherOptions{APIs: []string{"a", "b", "c"}, Start: time.Now()}, rests: make([]atomic.Int64, 3)}
	p.rests[1].Store(int64(time.Hour))
	seen := [3]int{}
	for range 300 {
		seen[p.choose()]++
	}
	if seen[0] == 0 || seen[1] != 0 || seen[2] == 0 {
		t.Errorf("chosen %v, b rests", seen)
	}
	p.rests[0].Store(int64(time.Hour))
	p.rests[2].Store(int64(time.Hour))
	for range 300 {
		seen[p.choose()]++
	}
	if seen[1] == 0 {
		t.Errorf("chosen %v, all rest", seen)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var r reasons
	for i := range 1000 {
		r.add(fmt.Sprint(i))
	}
	if all := r.all(); len(all) != mostReasons+1 || all["other"] != 1000-mostReasons {
		t.Errorf("%d reasons, %d others", len(all), all["other"])
	}
}
