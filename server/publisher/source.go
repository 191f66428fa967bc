package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Answer is what a source says is in force.
type Answer struct {
	Pointer
	// Node is who says it; empty if it is not a node.
	Node string `json:"node"`
	// Nodes are the members, with their API addresses. None: those known stay.
	Nodes []Node `json:"nodes"`
	// Tag names this answer, for the next question.
	Tag string `json:"-"`
}

// ErrUnchanged is a source's answer if nothing differs from what the tag names.
var ErrUnchanged = errors.New("publisher: unchanged")

// Source says which rings are in force. Both calls end with ctx. One goroutine
// calls them.
type Source interface {
	// Active returns what is in force, or ErrUnchanged if that is what tag names.
	Active(ctx context.Context, tag string) (*Answer, error)
	// Snapshot returns the binary form of a version, which the caller checks. It must
	// not be changed afterwards.
	Snapshot(ctx context.Context, version uint64) ([]byte, error)
}

// Bounds of what is read of a source: 10,000 nodes of some 200 bytes, and the largest
// snapshot that etcd holds.
const (
	maxAnswer   = 4 << 20
	maxSnapshot = 1 << 20
)

// nodes is the Source that asks the nodes themselves, another one each time: so
// one that lags behind or is wrong is not believed for long, and is seen.
type nodes struct {
	client *http.Client
	apis   func() []string // those known now
	try    time.Duration   // bound of one question, so that a node that hangs leaves time for others
	turn   atomic.Uint64
	whole  bool // weights are wanted each time: no tag is sent, since it does not cover them
	last   string
}

// Active asks GET /v1/ring. A node that does not answer is followed by the next, two
// times.
func (n *nodes) Active(ctx context.Context, tag string) (*Answer, error) {
	if n.whole {
		tag = ""
	}
	var last error
	for range 3 {
		api, err := n.next()
		if err != nil {
			return nil, err
		}
		a, err := n.active(ctx, api, tag)
		if err == nil || errors.Is(err, ErrUnchanged) || ctx.Err() != nil {
			n.last = api
			return a, err
		}
		last = err
	}
	return nil, last
}

// next returns the API of the node whose turn it is.
func (n *nodes) next() (string, error) {
	apis := n.apis()
	if len(apis) == 0 {
		return "", fmt.Errorf("%w: no node's API address is known: set Nodes to one or more", ErrOptions)
	}
	return apis[int(n.turn.Add(1)-1)%len(apis)], nil
}

func (n *nodes) active(ctx context.Context, api, tag string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, n.try)
	defer cancel()
	resp, err := n.get(ctx, api+"/v1/ring", tag)
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil, ErrUnchanged
	default:
		return nil, fmt.Errorf("%s/v1/ring: %s", api, resp.Status)
	}
	b, err := readAtMost(resp.Body, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("%s/v1/ring: %w", api, err)
	}
	a := &Answer{Tag: resp.Header.Get("ETag")}
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("%w: %s/v1/ring: %w", ErrRing, api, err)
	}
	if len(a.Nodes) > maxNodes {
		return nil, fmt.Errorf("%w: %s/v1/ring names %d nodes: at most %d are taken", ErrRing, api, len(a.Nodes), maxNodes)
	}
	return a, nil
}

// Snapshot asks the node that named the version first, then two others.
func (n *nodes) Snapshot(ctx context.Context, version uint64) ([]byte, error) {
	api, last := n.last, error(nil)
	for range 3 {
		b, err := n.snapshot(ctx, api, version)
		if err == nil || ctx.Err() != nil {
			return b, err
		}
		last = err
		if api, err = n.next(); err != nil {
			return nil, err
		}
	}
	return nil, last
}

func (n *nodes) snapshot(ctx context.Context, api string, version uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, n.try)
	defer cancel()
	url := api + "/v1/ring?version=" + strconv.FormatUint(version, 10) + "&format=binary"
	resp, err := n.get(ctx, url, "")
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	b, err := readAtMost(resp.Body, maxSnapshot)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return b, nil
}

func (n *nodes) get(ctx context.Context, url, tag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	return n.client.Do(req)
}

// readAtMost reads all of r, which has at most limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}

// drain reads a little of what is left of a body, so that its connection is used
// again, and closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
