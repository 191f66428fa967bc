package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// requestTimeout bounds every request but those for events and pprof: nothing
// else here may wait for ever. It is longer than the longest wait.
const requestTimeout = 35 * time.Second

// handler serves the API of one node.
type handler struct {
	node   Node
	onDone func(route string, status int, took time.Duration)
	routes map[string]*route
	bodies bodies
}

// exchange is one request and its answer.
type exchange struct {
	http.ResponseWriter
	r      *http.Request
	ctx    context.Context // ends with the client or requestTimeout
	names  names
	query  url.Values // its names are ones that the route takes, each there once
	status int
}

// WriteHeader remembers the status and passes it on.
func (x *exchange) WriteHeader(status int) {
	x.status = status
	x.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// NewHandler returns the API of node. onDone, if not nil, is told about every
// request to a route that there is; route is the pattern, not the path.
func NewHandler(node Node, onDone func(route string, status int, took time.Duration)) http.Handler {
	h := &handler{node: node, onDone: onDone, routes: map[string]*route{}}
	h.addRoutes()
	return h
}

// ServeHTTP implements http.Handler. It is not http.ServeMux, which redirects
// paths with // or .. in them to others: a topic may be called "a//b", and must
// not become "a/b".
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pattern, names, bad := match(r.Method, r.URL.EscapedPath())
	rt := h.routes[pattern]
	if rt == nil {
		bad.write(w)
		return
	}
	began := time.Now()
	x := &exchange{ResponseWriter: w, r: r, ctx: r.Context(), names: names, status: http.StatusOK}
	h.serve(rt, x, bad)
	if h.onDone != nil {
		h.onDone(rt.path, x.status, time.Since(began))
	}
}

// serve answers a request to a route. bad is what is wrong with its path.
func (h *handler) serve(rt *route, x *exchange, bad *problem) {
	f := rt.method(x.r.Method)
	switch {
	case f == nil:
		x.Header().Set("Allow", rt.allow)
		bad = &problem{Title: "Method not allowed", Status: http.StatusMethodNotAllowed,
			Detail: fmt.Sprintf("%s takes %s, not %s", rt.path, rt.allow, clip([]byte(x.r.Method)))}
	case bad == nil && !rt.anyQuery && x.r.URL.RawQuery != "":
		bad = x.parseQuery(rt)
	}
	if bad != nil {
		bad.write(x)
		return
	}
	if !rt.endless {
		ctx, cancel := context.WithTimeout(x.ctx, requestTimeout)
		defer cancel()
		x.ctx = ctx
	}
	f(x)
}

// parseQuery reads the query and refuses parameters that the route does not take
// or that come twice: one that is misspelt must not be passed over.
func (x *exchange) parseQuery(rt *route) *problem {
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return invalidParameter("", "the query cannot be read: "+err.Error())
	}
	for name, values := range query {
		if !slices.Contains(rt.query, name) {
			name = clip([]byte(name))
			return invalidParameter(name, fmt.Sprintf("%s takes no parameter %q", rt.path, name))
		}
		if len(values) > 1 {
			return invalidParameter(name, fmt.Sprintf("parameter %q is there %d times", name, len(values)))
		}
	}
	x.query = query
	return nil
}
