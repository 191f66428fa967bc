package api

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
)

// openAPIFile describes this API. The tests hold it to the handlers and the
// handlers to it.
//
//go:embed openapi.yaml
var openAPIFile []byte

// openAPI serves GET /openapi.yaml.
func openAPI(x *exchange) {
	x.Header().Set("Content-Type", "application/yaml")
	x.Write(openAPIFile)
}

// text answers with one line.
func text(x *exchange, line string) {
	x.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(x, line)
}

// health serves GET /healthz.
func health(x *exchange) { text(x, "ok") }

// ready serves GET /readyz.
func (h *handler) ready(x *exchange) {
	if err := h.node.Ready(); err != nil {
		(&problem{Title: "Not ready", Status: http.StatusServiceUnavailable, Detail: err.Error()}).write(x)
		return
	}
	text(x, "ready")
}

// metrics serves GET /metrics.
func (h *handler) metrics(x *exchange) {
	x.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.node.WriteMetrics(x)
}

// consistency serves GET /debug/consistency. Books that do not add up are a 500,
// so that a probe needs to look at nothing else; the report is the same.
func (h *handler) consistency(x *exchange) {
	c, err := h.node.Consistency(x.ctx)
	if err != nil {
		failure(err, "").write(x)
		return
	}
	if c.Dropped == nil {
		c.Dropped = map[string]uint64{} // not null in JSON
	}
	status := http.StatusOK
	if !c.OK {
		status = http.StatusInternalServerError
	}
	writeJSON(x, status, c)
}

// profiles serves GET /debug/pprof/, the list of profiles.
func profiles(x *exchange) { pprof.Index(x, x.r) }

// profile serves GET /debug/pprof/{profile}. What is wrong with a profile's
// parameters the Go library says in plain text.
func profile(x *exchange) {
	switch name := x.names.profile; name {
	case "cmdline":
		pprof.Cmdline(x, x.r)
	case "profile":
		pprof.Profile(x, x.r)
	case "symbol":
		pprof.Symbol(x, x.r)
	case "trace":
		pprof.Trace(x, x.r)
	default:
		if runtimepprof.Lookup(name) == nil {
			(&problem{Title: "Not found", Status: http.StatusNotFound, Parameter: "profile",
				Detail: fmt.Sprintf("there is no profile %q: see %s", clip([]byte(name)), routeProfiles)}).write(x)
			return
		}
		pprof.Handler(name).ServeHTTP(x, x.r)
	}
}
