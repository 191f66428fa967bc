package live

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Prometheus serves the state of the run at /metrics, in the text format that
// Prometheus, VictoriaMetrics and others scrape. A scrape reads the last frame
// and nothing of the run.
type Prometheus struct {
	// Static after construction.
	listener net.Listener
	server   *http.Server
	served   chan error

	// Written by Show, read by scrapes.
	shown atomic.Pointer[figures]

	// Owned by the caller of Show.
	phases []phaseHists
	index  int // of the last one
	ended  bool
}

// Bounds of what scrapers may take.
const (
	maxScrapes    = 4 // at the same time
	scrapeTimeout = 5 * time.Second
)

// maxPhases bounds the phases of which histograms are kept: as many as a
// scenario may have.
const maxPhases = 64

// ServePrometheus listens at addr, host:port; without a host at 127.0.0.1.
func ServePrometheus(addr string) (*Prometheus, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("metrics at %q: want host:port, such as 127.0.0.1:9101", addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	p := &Prometheus{listener: l, served: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", http.HandlerFunc(p.scrape))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "loadgen: see /metrics\n") })
	p.server = &http.Server{Handler: bounded(mux), ReadTimeout: scrapeTimeout, WriteTimeout: scrapeTimeout, IdleTimeout: scrapeTimeout, MaxHeaderBytes: 8 << 10}
	p.server.SetKeepAlivesEnabled(false) // so that no connection lasts longer than its scrape
	go func() { p.served <- p.server.Serve(l) }()
	return p, nil
}

// Addr is where it listens.
func (p *Prometheus) Addr() net.Addr { return p.listener.Addr() }

// bounded lets in so many requests at the same time; the others are told to
// come back.
func bounded(h http.Handler) http.Handler {
	room := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case room <- struct{}{}:
			defer func() { <-room }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
		}
	})
}

func (p *Prometheus) scrape(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	f := p.shown.Load()
	if f == nil {
		_, _ = io.WriteString(w, "# the first phase has not begun\n")
		return
	}
	_, _ = w.Write(f.write())
}

// Show makes f what the next scrapes get.
func (p *Prometheus) Show(f *Frame) {
	if n := len(p.phases); n == 0 || f.Index != p.index && n < maxPhases {
		p.phases, p.index = append(p.phases, phaseHists{}), f.Index
	}
	last := &p.phases[len(p.phases)-1]
	last.take(f)
	p.shown.Store(&figures{snapshot: keep(f), errors: countErrors(f.AllErrors), phases: append([]phaseHists(nil), p.phases...)})
}

// take folds the frame's histograms, but those that have not changed.
func (p *phaseHists) take(f *Frame) {
	next := phaseHists{phase: f.Phase}
	add := func(name string, h *tally.Hist) {
		if h.Count() == 0 {
			return
		}
		b := p.get(name)
		if b == nil || b.count != h.Count() {
			b = fold(h)
		}
		next.names, next.hists = append(next.names, name), append(next.hists, b)
	}
	add(tally.Delivery.String(), f.Delivery)
	if f.Hists != nil {
		for id, h := range f.Hists {
			add(tally.HistID(id).String(), h)
		}
	}
	*p = next
}

// Done ends scrapes and returns what went wrong. Further calls do nothing.
func (p *Prometheus) Done(*result.Result) error {
	if p.ended {
		return nil
	}
	p.ended = true
	err := p.server.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
