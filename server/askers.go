package server

import (
	"encoding/json"
	"hash/maphash"
	"net/netip"
	"strings"
	"time"

	"roost/poller"
	"roost/server/session"
	"roost/server/ws"
)

// Limits of GET /v1/route on the device listener, by the address that asks, on each loop:
// anyone can reach it.
const (
	askRate  = 10 // a second
	askBurst = 20
	// askPlaces is how many buckets there are. Addresses share them by a hash that nobody
	// outside knows: 16 KiB a loop, whoever asks.
	askPlaces = 1024
	// maxFailed is how many nodes may be said to have failed.
	maxFailed = 16
)

var (
	errAsking429 = &ws.HandshakeError{Status: 429, Text: "too many questions from this address", RetryAfter: 1}
	errNobody    = &ws.HandshakeError{Status: 503, Text: "no other node is there: try again", RetryAfter: 5}
	errFailed    = &ws.HandshakeError{Status: 400, Text: "query parameter failed: want at most 16 names of nodes, or host:port"}
)

// askers are token buckets.
type askers struct {
	seed    maphash.Seed
	buckets []bucket // nil until the first question
}

// bucket is what an address has left.
type bucket struct {
	tokens float32
	at     uint32 // ms, when it was so
}

// take takes a token of an address at a time, ms; it reports false when there is none. An IPv6 network
// of 64 bits is one address.
func (a *askers) take(ip netip.Addr, now uint32) bool {
	if a.buckets == nil {
		a.seed, a.buckets = maphash.MakeSeed(), make([]bucket, askPlaces)
		for i := range a.buckets {
			a.buckets[i] = bucket{askBurst, now}
		}
	}
	if ip.Is6() && !ip.Is4In6() {
		prefix, _ := ip.Prefix(64) // of a valid address
		ip = prefix.Addr()
	}
	b := &a.buckets[maphash.Comparable(a.seed, ip)%askPlaces]
	b.tokens = min(b.tokens+float32(now-b.at)*askRate/1000, askBurst)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// whither answers where a device is to connect.
func (h *handler) whither(c poller.Conn, st *connState) *ws.HandshakeError {
	if h.s.cluster == nil {
		return errNotFound
	}
	if e := ws.CheckPlain(&h.req); e != nil {
		return e
	}
	if !h.askers.take(h.remote(c).Addr(), uint32(h.l.Now()/time.Millisecond)) {
		return errAsking429
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
