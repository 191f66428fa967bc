package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxFailed bounds the nodes that a device says it could not reach.
const maxFailed = 16

// route serves GET /v1/route.
func (h *handler) route(x *exchange) {
	device := x.query.Get("device")
	if !printable(device) {
		invalidParameter("device", "device "+nameRule).write(x)
		return
	}
	var failed []string
	if x.query.Has("failed") {
		failed = strings.Split(x.query.Get("failed"), ",")
	}
	if len(failed) > maxFailed || slices.ContainsFunc(failed, func(s string) bool { return s == "" || len(s) > 255 }) {
		invalidParameter("failed", fmt.Sprintf("failed has %d entries: want at most %d ids of nodes of 1 to 255 bytes, with commas between", len(failed), maxFailed)).write(x)
		return
	}
	r, err := h.node.Route(x.ctx, device, failed)
	if r.Candidates == nil {
		r.Candidates = []Candidate{} // not null in JSON
	}
	x.answer(r, err, fmt.Sprintf("device %q", device))
}

// ring serves GET /v1/ring.
func (h *handler) ring(x *exchange) {
	if x.query.Has("version") || x.query.Has("format") {
		h.snapshot(x)
		return
	}
	r, err := h.node.Ring(x.ctx)
	if err != nil {
		failure(err, "").write(x)
		return
	}
	if r.Nodes == nil {
		r.Nodes = []RingNode{}
	}
	if x.unchanged(ringTag(r)) {
		return
	}
	writeJSON(x, http.StatusOK, r)
}

// ringTag names what is in force and who is there. Weights, which change all the
// time, are left out: nobody has to fetch the same ring each second.
func ringTag(r Ring) string {
	r.Nodes = slices.Clone(r.Nodes)
	for i := range r.Nodes {
		r.Nodes[i].Weight = nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic("BUG: api: a ring cannot be written: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// unchanged sets the tag of what is about to be answered, and answers 304 if the
// client has it.
func (x *exchange) unchanged(tag string) bool {
	tag = `"` + tag + `"`
	x.Header().Set("ETag", tag)
	for has := range strings.SplitSeq(x.r.Header.Get("If-None-Match"), ",") {
		if has = strings.TrimSpace(has); has == "*" || strings.TrimPrefix(has, "W/") == tag {
			x.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// The forms of a snapshot.
const (
	formatBinary = "binary"
	formatJSON   = "json"
)

// snapshot serves GET /v1/ring?version=.
func (h *handler) snapshot(x *exchange) {
	text, format := x.query.Get("version"), formatJSON
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil || version == 0 {
		invalidParameter("version", fmt.Sprintf("version is %q: want the number of a ring, as stable or canary have it", clip([]byte(text)))).write(x)
		return
	}
	if x.query.Has("format") {
		if format = x.query.Get("format"); format != formatBinary && format != formatJSON {
			invalidParameter("format", fmt.Sprintf("format is %q: want %s or %s", clip([]byte(format)), formatBinary, formatJSON)).write(x)
			return
		}
	}
	s, err := h.node.RingSnapshot(x.ctx, version, format == formatBinary)
	if err != nil {
		failure(err, "ring "+text).write(x)
		return
	}
	if x.unchanged(s.Hash) {
		return
	}
	x.Header().Set("Content-Type", map[string]string{formatBinary: "application/octet-stream", formatJSON: "application/json"}[format])
	x.Header().Set("Content-Length", strconv.Itoa(len(s.Body)))
	x.Write(s.Body)
}

// cluster serves GET /v1/cluster.
func (h *handler) cluster(x *exchange) {
	c, err := h.node.Cluster(x.ctx)
	if c.Members == nil {
		c.Members = []ClusterMember{}
	}
	if c.Presence.Nodes == nil {
		c.Presence.Nodes = []PresenceNode{}
	}
	x.answer(c, err, "")
}

// markRing tells a publisher which rings the node holds: it sees whether its own are
// old, and whether nodes differ.
func (x *exchange) markRing(m *RingMark) {
	if m != nil {
		head := x.Header()
		head["Roost-Ring"], head["Roost-Ring-Hash"] = m.Activation, m.Hashes
	}
}
