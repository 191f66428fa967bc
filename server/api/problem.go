package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"roost/server/jsonscan"
)

// titleTooBig is the title of every 413.
const titleTooBig = "Too big"

// statusClientGone is what a request is counted with whose client went away:
// nobody reads it. The number is nginx's.
const statusClientGone = 499

// problem is an RFC 9457 problem detail.
type problem struct {
	Title      string   `json:"title"`
	Status     int      `json:"status"`
	Detail     string   `json:"detail"`
	Field      string   `json:"field,omitempty"`     // the field of the body at fault
	Parameter  string   `json:"parameter,omitempty"` // the parameter of path or query at fault
	RetryAfter int      `json:"retry_after,omitempty"`
	Results    []Result `json:"results,omitempty"` // what was done all the same
}

// invalid is a 400 about one field of the body.
func invalid(field, detail string) *problem {
	return &problem{Title: "Invalid request", Status: http.StatusBadRequest, Detail: detail, Field: field}
}

// invalidParameter is a 400 about one parameter of path or query.
func invalidParameter(name, detail string) *problem {
	return &problem{Title: "Invalid request", Status: http.StatusBadRequest, Detail: detail, Parameter: name}
}

// notJSON words an error of the scanner; nil for nil.
func notJSON(err *jsonscan.Error) *problem {
	switch {
	case err == nil:
		return nil
	case err.Deep:
		return invalid("", fmt.Sprintf("byte %d: the value is nested too deeply: at most %d levels are allowed", err.At, maxDepth))
	}
	return invalid("", "this is not JSON: "+err.Error())
}

// failure words an error of the node. what is the device or topic that was asked
// for.
func failure(err error, what string) *problem {
	is := func(target error) bool { return errors.Is(err, target) }
	p := &problem{Detail: err.Error()}
	if what != "" {
		p.Detail = what + ": " + err.Error()
	}
	switch {
	case is(ErrUnknownDevice):
		p.Title, p.Status = "Unknown device", http.StatusNotFound
	case is(ErrUnknownTopic):
		p.Title, p.Status = "Unknown topic", http.StatusNotFound
	case is(ErrAlone):
		p.Title, p.Status = "No cluster", http.StatusNotFound
	case is(ErrUnknownRing):
		p.Title, p.Status = "Unknown ring", http.StatusNotFound
	case is(ErrUnknownNode):
		p.Title, p.Status = "Unknown node", http.StatusNotFound
	case is(ErrNoRing):
		p.Title, p.Status, p.RetryAfter = "No ring", http.StatusServiceUnavailable, 1
	case is(ErrNotConnected):
		p.Title, p.Status = "Not connected", http.StatusConflict
	case is(ErrLimit):
		p.Title, p.Status = "Limit reached", http.StatusConflict
	case is(ErrOverloaded):
		p.Title, p.Status, p.RetryAfter = "Overloaded", http.StatusServiceUnavailable, 1
	case is(ErrStore):
		p.Title, p.Status, p.RetryAfter = "Store unavailable", http.StatusServiceUnavailable, 5
	case is(ErrStoreFull):
		p.Title, p.Status = "Store full", http.StatusInsufficientStorage
	case is(context.DeadlineExceeded):
		p.Title, p.Status = "Timed out", http.StatusGatewayTimeout
		p.Detail = fmt.Sprintf("the node did not answer within %v", requestTimeout)
	case is(context.Canceled):
		p.Title, p.Status, p.Detail = "Canceled", statusClientGone, "the client went away"
	default:
		p.Title, p.Status = "Internal error", http.StatusInternalServerError
	}
	return p
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept-Encoding", "identity")
		w.Header().Set("Accept", "application/json, application/x-ndjson")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// jsonType is a header value that all answers share.
var jsonType = []string{"application/json"}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
