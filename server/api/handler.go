package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"
)

// requestTimeout bounds every request but pprof's: nothing here may wait for
// ever.
const requestTimeout = 35 * time.Second

// handler serves the API of one node.
type handler struct {
	node   Node
	onDone func(route string, status int, took time.Duration)
}

// NewHandler returns the API of node. onDone, if not nil, is told about every
// request that was served; route is the pattern, not the path.
func NewHandler(node Node, onDone func(route string, status int, took time.Duration)) http.Handler {
	h := &handler{node: node, onDone: onDone}
	mux := http.NewServeMux()
	h.handle(mux, http.MethodPost, "/v1/publish", h.publish)
	h.handle(mux, http.MethodGet, "/v1/devices/{id}", h.device)
	h.handle(mux, http.MethodGet, "/healthz", h.health)
	h.handle(mux, http.MethodGet, "/readyz", h.ready)
	h.handle(mux, http.MethodGet, "/metrics", h.metrics)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&problem{Title: "Not found", Status: http.StatusNotFound,
			Detail: fmt.Sprintf("there is nothing at %q", r.URL.Path)}).write(w)
	})
	return mux
}

// handle adds a route that answers one method, with a deadline and a count.
func (h *handler) handle(mux *http.ServeMux, method, route string, f http.HandlerFunc) {
	mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		if r.Method == method || method == http.MethodGet && r.Method == http.MethodHead {
			ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
			defer cancel()
			f(rec, r.WithContext(ctx))
		} else {
			rec.Header().Set("Allow", method)
			(&problem{Title: "Method not allowed", Status: http.StatusMethodNotAllowed,
				Detail: fmt.Sprintf("%s takes %s, not %s", route, method, r.Method)}).write(rec)
		}
		if h.onDone != nil {
			h.onDone(route, rec.status, time.Since(began))
		}
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers and passes on.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (h *handler) device(w http.ResponseWriter, r *http.Request) {
	d, err := h.node.Device(r.Context(), r.PathValue("id"))
	if err != nil {
		failure(err, fmt.Sprintf("device %q is not connected here", r.PathValue("id"))).write(w)
		return
	}
	writeJSON(w, d)
}

func (h *handler) health(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.node.Ready(); err != nil {
		(&problem{Title: "Not ready", Status: http.StatusServiceUnavailable, Detail: err.Error()}).write(w)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (h *handler) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.node.WriteMetrics(w)
}

// failure words an error of the node.
func failure(err error, unknown string) *problem {
	switch {
	case errors.Is(err, ErrUnknownDevice):
		return &problem{Title: "Unknown device", Status: http.StatusNotFound, Detail: unknown}
	case errors.Is(err, ErrOverloaded):
		return &problem{Title: "Overloaded", Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 1}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{Title: "Timed out", Status: http.StatusGatewayTimeout,
			Detail: fmt.Sprintf("the node did not answer within %v", requestTimeout)}
	case errors.Is(err, context.Canceled):
		return &problem{Title: "Canceled", Status: 499, Detail: "the client went away"}
	}
	return &problem{Title: "Internal error", Status: http.StatusInternalServerError, Detail: err.Error()}
}
