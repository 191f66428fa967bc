package publisher

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"roost/ring"
)

// table is all that is known of the cluster. It never changes.
type table struct {
	pointer        Pointer
	stable, canary *held        // nil if none
	routes         *ring.Routes // never nil
	nodes          []Node       // those with an API, by id
	apis           []string     // of nodes
}

// newTable makes the table of what is held and of the members. Seeds stand in for
// members as long as none is known: nodes whose id is their address.
func newTable(p Pointer, stable, canary *held, members []Node, seeds []string) *table {
	t := &table{pointer: p, stable: stable, canary: canary}
	var s, c *ring.Ring
	if stable != nil {
		s = stable.ring
	}
	if canary != nil {
		c = canary.ring
	}
	t.routes = ring.NewRoutes(s, c, p.Share)
	for _, n := range members {
		if api, ok := cleanAPI(n.API); ok && n.ID != "" && len(n.ID) <= ring.MaxName {
			n.API = api
			t.nodes = append(t.nodes, n)
		}
	}
	if len(t.nodes) == 0 {
		for _, api := range seeds {
			t.nodes = append(t.nodes, Node{ID: api, API: api})
		}
	}
	slices.SortFunc(t.nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	t.nodes = slices.CompactFunc(t.nodes, func(a, b Node) bool { return a.ID == b.ID })
	for i := range t.nodes {
		t.apis = append(t.apis, t.nodes[i].API)
	}
	return t
}

// find returns the node with an id, nil if it is not known.
func (t *table) find(id string) *Node {
	i, ok := slices.BinarySearchFunc(t.nodes, id, func(n Node, id string) int { return cmp.Compare(n.ID, id) })
	if !ok {
		return nil
	}
	return &t.nodes[i]
}

// owners appends up to n nodes to dst that may take a key's messages, the owner
// first, those without an API left out.
func (t *table) owners(dst []*Node, hash uint64, n int) []*Node {
	r := t.routes.Stable()
	if c, _ := t.routes.Canary(); c != nil && t.routes.OnCanary(hash) {
		r = c
	}
	var at [maxCandidates]ring.Index
	for _, i := range r.OwnersN(at[:0], hash, min(n, maxCandidates)) {
		if node := t.find(r.Node(i).ID); node != nil {
			dst = append(dst, node)
		}
	}
	return dst
}

// maxCandidates is how many nodes of the ring are looked at for a key.
const maxCandidates = 8

// cleanAPI is a base URL without its last slash, if it is one.
func cleanAPI(api string) (string, bool) {
	api = strings.TrimRight(api, "/")
	u, err := url.Parse(api)
	return api, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}
