package publisher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxResults bounds an answer: 10,000 results of some 300 bytes, with the longest
// names.
const maxResults = 8 << 20

// post sends items to a node and gives those a result that have one. It returns
// those that are to be tried elsewhere.
func (p *Publisher) post(n *Node, items []*item) (again []*item) {
	p.stats.requests.Add(1)
	for _, it := range items {
		it.tried++
	}
	resp, answer, err := p.exchange(n, items)
	now := time.Now()
	if err != nil {
		p.health.failed(n.ID, now)
		return p.unanswered(n, items, err)
	}
	p.compareRings(n, resp.Header)
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		p.health.answered(n.ID, now)
		return p.results(n, items, answer)
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		p.health.busy(n.ID, retryAfter(resp.Header), now)
		return p.refused(n, items, answer, resp.Status)
	case code == http.StatusInsufficientStorage:
		p.health.answered(n.ID, now)
		for _, it := range p.refused(n, items, answer, resp.Status) {
			p.settle(it, []Result{{Status: "refused", Reason: "store", Detail: it.last.Error(), Node: n.ID, Tried: it.tried}})
		}
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnsupportedMediaType:
		p.health.answered(n.ID, now)
		for _, it := range items {
			p.fail(it, fmt.Errorf("%w: %s: %s", ErrAnswer, resp.Status, problemOf(answer)))
		}
		return nil
	case code == http.StatusInternalServerError, code == http.StatusGatewayTimeout:
		// It may have taken them.
		p.health.failed(n.ID, now)
		return p.unanswered(n, items, fmt.Errorf("%w: %s: %s", ErrAnswer, resp.Status, problemOf(answer)))
	default:
		// Not a node, or one behind a proxy that refuses: it has taken nothing.
		p.health.failed(n.ID, now)
		return tell(n, items, fmt.Errorf("%w: %s: %s", ErrAnswer, resp.Status, problemOf(answer)))
	}
}

// exchange does one request.
func (p *Publisher) exchange(n *Node, items []*item) (*http.Response, []byte, error) {
	size, repeat, client := 0, true, p.client
	limit, wait := time.Time{}, time.Duration(0)
	for _, it := range items {
		size += len(it.line)
		repeat = repeat && !it.live
		wait = max(wait, it.wait)
		if it.deadline.After(limit) {
			limit = it.deadline
		}
	}
	if wait > 0 {
		client = p.waiting
	}
	if most := time.Now().Add(p.o.Attempt + wait); limit.After(most) {
		limit = most
	}
	ctx, cancel := context.WithDeadline(p.ctx, limit)
	defer cancel()
	body := make([]byte, 0, size)
	for _, it := range items {
		body = append(body, it.line...)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.API+"/v1/publish", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header["Content-Type"] = []string{"application/x-ndjson"}
	if repeat {
		// net/http sends a request again whose connection the server closed meanwhile, if
		// it may. An empty list is not sent.
		req.Header["Idempotency-Key"] = []string{}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer drain(resp.Body)
	answer, err := readAtMost(resp.Body, maxResults)
	return resp, answer, err
}

// unanswered sorts items whose request may have been taken: live ones end here,
// unless it was surely not sent.
func (p *Publisher) unanswered(n *Node, items []*item, err error) (again []*item) {
	if notSent(err) {
		return tell(n, items, err)
	}
	for _, it := range items {
		if it.live {
			p.fail(it, fmt.Errorf("%w: %s: %w", ErrUncertain, n.ID, err))
		} else {
			again = append(again, it)
		}
	}
	return tell(n, again, err)
}

// tell notes in items that a node has failed.
func tell(n *Node, items []*item, err error) []*item {
	for _, it := range items {
		it.failed = append(it.failed, n.ID)
		it.last = fmt.Errorf("%s: %w", n.ID, err)
	}
	return items
}

// notSent reports whether nothing of a request has left: the connect failed.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// results gives items the results of an answer.
func (p *Publisher) results(n *Node, items []*item, answer []byte) (again []*item) {
	var form struct {
		Results []Result `json:"results"`
	}
	err := json.Unmarshal(answer, &form)
	var parts [][]Result
	if err == nil {
		parts, err = divide(items, form.Results)
	}
	if err != nil {
		return p.unanswered(n, items, fmt.Errorf("%w: %w", ErrAnswer, err))
	}
	for i, it := range items {
		p.answered(n, it, parts[i])
	}
	return nil
}

func (p *Publisher) answered(n *Node, it *item, rs []Result) {
	for i := range rs {
		rs[i].Node, rs[i].Tried = n.ID, it.tried
	}
	p.stats.answered.Add(1)
	p.settle(it, rs)
}

// refused gives those a result that were done all the same, of a request that was
// refused, and returns the others.
func (p *Publisher) refused(n *Node, items []*item, answer []byte, status string) (again []*item) {
	var form struct {
		Results []Result `json:"results"`
	}
	err := fmt.Errorf("%s: %s", status, problemOf(answer))
	if json.Unmarshal(answer, &form) != nil || form.Results == nil {
		return tell(n, items, err)
	}
	parts, bad := divide(items, form.Results)
	if bad != nil {
		return tell(n, items, err)
	}
	for i, it := range items {
		if it.live && parts[i][0].Status != "refused" {
			p.answered(n, it, parts[i])
		} else {
			again = append(again, it)
		}
	}
	return tell(n, again, err)
}

// divide says which of the results are whose. A line that made no sense to the node
// has one, whatever it was for.
func divide(items []*item, rs []Result) ([][]Result, error) {
	parts := make([][]Result, len(items))
	all := len(rs)
	for i, it := range items {
		n := it.count
		if n > 1 && len(rs) > 0 && rs[0].Status == "refused" && rs[0].Device == "" {
			n = 1
		}
		if len(rs) < n {
			return nil, fmt.Errorf("%d results for %d messages", all, len(items))
		}
		parts[i], rs = rs[:n], rs[n:]
	}
	if len(rs) > 0 {
		return nil, fmt.Errorf("%d results, %d more than there are messages", all, len(rs))
	}
	return parts, nil
}

// problemOf is what a problem detail says, or the beginning of what is none.
func problemOf(answer []byte) string {
	var form struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &form) == nil && form.Detail != "" {
		return form.Detail
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(answer[:min(len(answer), 200)])), "\uFFFD")
}

// retryAfter is what an answer asks for, in whole seconds; 1 s if it says nothing.
func retryAfter(h http.Header) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s >= 0 && s <= 3600 {
		return time.Duration(s) * time.Second
	}
	return time.Second
}

// The headers in which a node says which ring it answers by.
const (
	headRing = "Roost-Ring"      // activation
	headHash = "Roost-Ring-Hash" // stable's, and the canary's behind a comma
)

// compareRings looks at which ring a node has.
func (p *Publisher) compareRings(n *Node, h http.Header) {
	activation, err := strconv.ParseInt(h.Get(headRing), 10, 64)
	if err != nil {
		return
	}
	have := &p.table.Load().pointer
	switch {
	case activation > have.Activation:
		p.poke()
	case activation == have.Activation && h.Get(headHash) != have.hashes():
		p.stats.disagree.Add(1)
		p.o.Log.Warn("a node answers with another ring hash", "node", n.ID, "activation", activation, "hash", h.Get(headHash), "ours", have.hashes())
	}
}

// hashes is headHash's value.
func (p Pointer) hashes() string {
	if p.Canary == 0 {
		return p.StableHash.String()
	}
	return p.StableHash.String() + "," + p.CanaryHash.String()
}
