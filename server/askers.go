package server

import (
	"encoding/json"
	"strings"

	"roost/poller"
	"roost/server/session"
	"roost/server/ws"
)

const (
	// askRate is how many questions a second an address may ask of GET /v1/route on the device listener: anyone can reach it.
	askRate = 10
	// maxFailed is how many nodes may be said to have failed.
	maxFailed = 16
)

var (
	errNobody = &ws.HandshakeError{Status: 503, Text: "no other node is there: try again", RetryAfter: 5}
	errFailed = &ws.HandshakeError{Status: 400, Text: "query parameter failed: want at most 16 names of nodes, or host:port"}

	refusedQuestions = refusals(429, "too many questions from this address", 61)
)

// whither answers where a device is to connect.
func (h *handler) whither(c poller.Conn, st *connState) *ws.HandshakeError {
	if h.s.cluster == nil {
		return errNotFound
	}
	if e := ws.CheckPlain(&h.req); e != nil {
		return e
	}
	if after, ok := h.s.entrance.questions.Take(h.s.entrance.now(), h.remote(c).Addr()); !ok {
		return refusal(refusedQuestions, after)
	}
	device, found, err := ws.QueryValue(h.req.RawQuery, "device", h.query[:0])
	if !found || err != nil || !session.ValidID(device) {
		return errBadDevice
	}
	failed, refusal := h.failedNodes()
	if refusal != nil {
		return refusal
	}
	route, ok := h.s.routeOf(string(device), failed)
	if !ok {
		return errNobody
	}
	body, err := json.Marshal(route)
	if err != nil {
		return errStore
	}
	h.out = ws.AppendResponse(h.out[:0], 200, "application/json", append(body, '\n'), true)
	h.over(c, st, nil)
	return nil
}

// failedNodes reads the nodes that could not be reached.
func (h *handler) failedNodes() (failed []string, refusal *ws.HandshakeError) {
	for rest := h.req.RawQuery; ; {
		v, next, found, err := ws.QueryNext(rest, "failed", nil)
		if !found {
			return failed, nil
		}
		if err != nil || len(v) > 1024 || len(failed) >= maxFailed {
			return nil, errFailed
		}
		failed = append(failed, strings.Split(string(v), ",")...)
		rest = next
	}
}
