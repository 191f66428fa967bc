package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"roost/ring"
	"roost/ring/snapshot"
	"roost/server/cluster"
)

// routeFlags are those of route.
type routeFlags struct {
	device, file, hash, url string
	version                 uint64
	n                       int
	asJSON                  bool
}

// runRoute is roostctl route.
func runRoute(ctx context.Context, args []string, t terminal) error {
	f := newFlags("route", "--device ID (--file SNAPSHOT | --etcd HOST:PORT [--version V] | --url http://NODE-API)", `Where a device belongs, worked out here from a snapshot, with the version and the
hash of that. The snapshot comes from a file (as ring plan, redis-cli --raw GET or curl
have written it, or the file of the last ring in a node's data directory), from etcd
(what is in force, a trial included, or one version), or from a node, by which it is
checked: --url asks the node for its answer too, and the exit code is 1 if they
do not agree.`)
	e := f.etcd()
	r := &routeFlags{}
	f.StringVar(&r.device, "device", "", "`id` of the device")
	f.StringVar(&r.file, "file", "", "`file` of a snapshot, or of a node's last ring")
	f.Uint64Var(&r.version, "version", 0, "`number` of a stored version; of a file, what it must have")
	f.StringVar(&r.hash, "hash", "", "`hash` that the snapshot must have, 16 hexadecimal digits; the exit code is 1 if it has another")
	f.StringVar(&r.url, "url", "", "`address` of a node's API, whose answer is compared")
	f.IntVar(&r.n, "n", 3, "how many `nodes` to give, the owner first")
	f.BoolVar(&r.asJSON, "json", false, "as JSON")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	if err := r.check(e); err != nil {
		return err
	}
	var node *nodeRoute
	var err error
	if r.url != "" {
		if node, err = askRoute(ctx, r.url, r.device); err != nil {
			return err
		}
	}
	src, err := r.source(ctx, e, node)
	if err != nil {
		return err
	}
	answer := src.route(r.device, r.n)
	if err := answer.write(t, r.asJSON); err != nil {
		return err
	}
	return r.verdict(t, src, answer, node)
}

func (r *routeFlags) check(e *etcdFlags) error {
	sources := 0
	for _, s := range []string{r.file, e.Endpoints} {
		if s != "" {
			sources++
		}
	}
	switch {
	case r.device == "":
		return errors.New("say which device: --device ID")
	case sources > 1:
		return errors.New("--file and --etcd are two sources of snapshots: give one")
	case sources == 0 && r.url == "":
		return errors.New("say where the snapshot is: --file, --etcd or --url")
	case r.n < 1 || r.n > ring.MaxNodes:
		return fmt.Errorf("-n is %d, must be 1 to %d", r.n, ring.MaxNodes)
	}
	if r.hash != "" {
		var h cluster.Hash
		return h.UnmarshalText([]byte(r.hash))
	}
	return nil
}

// source is what a route is worked out from.
type source struct {
	routes *ring.Routes
	hashes map[uint64]cluster.Hash // by version
}

// source reads the snapshots that are meant.
func (r *routeFlags) source(ctx context.Context, e *etcdFlags, node *nodeRoute) (*source, error) {
	switch {
	case r.file != "":
		return r.fromFile(ctx, e)
	case e.Endpoints != "":
		return r.fromEtcd(ctx, e, node)
	}
	version := r.version
	if version == 0 {
		version = node.Ring
	}
	b, err := get(ctx, r.url, fmt.Sprintf("/v1/ring?version=%d&format=binary", version), snapshot.MaxBytes)
	if err != nil {
		return nil, err
	}
	return sourceOf(b, r.url, version)
}

func (r *routeFlags) fromFile(ctx context.Context, e *etcdFlags) (*source, error) {
	b, err := readFile(ctx, r.file, mostFile, "snapshot")
	if err != nil {
		return nil, err
	}
	if !cluster.IsRoutesFile(b) {
		return sourceOf(b, r.file, r.version)
	}
	a, err := cluster.ReadRoutes(b, e.id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	if p := &a.Pointer; r.version != 0 && r.version != p.Stable && r.version != p.Canary {
		return nil, fmt.Errorf("%s has versions %d and %d, not %d", r.file, p.Stable, p.Canary, r.version)
	}
	stable, canary := a.Stored()
	return inForceOf(stable, canary, a.Pointer.Share, r.version), nil
}

// fromEtcd reads one version, or what is in force; a node that answered is
// compared by the version that it has.
func (r *routeFlags) fromEtcd(ctx context.Context, e *etcdFlags, node *nodeRoute) (*source, error) {
	s, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	version := r.version
	if version == 0 && node != nil {
		version = node.Ring
	}
	if version != 0 {
		stored, err := s.versions.Get(ctx, version)
		if err != nil {
			return nil, err
		}
		return inForceOf(stored, nil, 0, 0), nil
	}
	p := s.w.View().Pointer
	stable, canary, err := s.inForce(ctx, p)
	if err != nil {
		return nil, err
	}
	return inForceOf(stable, canary, p.Share, 0), nil
}

// inForceOf is what both rings of a trial say, or only one version of them.
func inForceOf(stable, canary *cluster.Stored, share int, only uint64) *source {
	if canary != nil && only == canary.Version {
		stable, canary = canary, nil
	}
	if canary == nil || only != 0 {
		return &source{ring.NewRoutes(stable.Ring, nil, 0), map[uint64]cluster.Hash{stable.Version: stable.Hash}}
	}
	return &source{ring.NewRoutes(stable.Ring, canary.Ring, share), map[uint64]cluster.Hash{stable.Version: stable.Hash, canary.Version: canary.Hash}}
}

// sourceOf reads one snapshot in either form. redis-cli ends what it writes with a
// newline, which no snapshot does.
func sourceOf(b []byte, name string, version uint64) (*source, error) {
	s, err := decode(b)
	if err != nil && bytes.HasSuffix(b, []byte("\n")) {
		if cut, e := decode(bytes.TrimSuffix(b, []byte("\n"))); e == nil {
			s, err = cut, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if version != 0 && s.Version != version {
		return nil, fmt.Errorf("%s has ring %d, %d was asked for", name, s.Version, version)
	}
	g, err := s.Ring()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	hash, err := s.Hash()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &source{ring.NewRoutes(g, nil, 0), map[uint64]cluster.Hash{s.Version: cluster.Hash(hash)}}, nil
}

// routed is where a device belongs.
type routed struct {
	Device  string       `json:"device"`
	Node    string       `json:"node"` // "" is nobody
	Zone    string       `json:"zone,omitempty"`
	Addr    string       `json:"url,omitempty"`
	Next    []string     `json:"next,omitempty"` // where to go if the node fails
	Version uint64       `json:"ring"`
	Hash    cluster.Hash `json:"rh"`
	Canary  bool         `json:"canary,omitempty"`
	IDHash  cluster.Hash `json:"id_hash"` // of the id: XXH3-64
	Slot    uint64       `json:"slot"`
}

func (s *source) route(device string, n int) *routed {
	h := ring.Hash(device)
	g, _ := s.routes.Owner(h)
	a := &routed{Device: device, Version: g.Version(), Hash: s.hashes[g.Version()], Canary: s.routes.OnCanary(h), IDHash: cluster.Hash(h), Slot: h >> (64 - g.TableBits())}
	for i, v := range g.OwnersN(nil, h, n) {
		o := g.Node(v)
		if i == 0 {
			a.Node, a.Zone, a.Addr = o.ID, o.Zone, o.Addr
			continue
		}
		a.Next = append(a.Next, o.ID)
	}
	return a
}

func (a *routed) write(t terminal, asJSON bool) error {
	if asJSON {
		b, err := json.MarshalIndent(a, "", "  ")
		if err != nil {
			return err
		}
		_, err = t.out.Write(append(b, '\n'))
		return err
	}
	node := "(nobody)"
	if a.Node != "" {
		node = clean(a.Node)
	}
	fmt.Fprintf(t.out, "%s -> %s", clean(a.Device), node)
	if a.Zone != "" {
		fmt.Fprintf(t.out, " in zone %s", clean(a.Zone))
	}
	if a.Addr != "" {
		fmt.Fprintf(t.out, " at %s", clean(a.Addr))
	}
	if len(a.Next) > 0 {
		fmt.Fprintf(t.out, ", then %s", clean(strings.Join(a.Next, ", ")))
	}
	by := ""
	if a.Canary {
		by = ", which is on trial"
	}
	_, err := fmt.Fprintf(t.out, "\nby ring %d%s, hash %v: the id's hash %v is in slot %d\n", a.Version, by, a.Hash, a.IDHash, a.Slot)
	return err
}

// verdict says whether hash and node agree; beside JSON not on standard output, which scripts read.
func (r *routeFlags) verdict(t terminal, s *source, a *routed, node *nodeRoute) error {
	bad, out := false, t.out
	if r.asJSON {
		out = t.errout
	}
	if r.hash != "" && a.Hash.String() != r.hash {
		fmt.Fprintf(out, "another ring: its hash is %v, %s was expected\n", a.Hash, r.hash)
		bad = true
	}
	if node != nil {
		switch {
		case node.Ring != a.Version:
			fmt.Fprintf(out, "not compared: the node answers by ring %d\n", node.Ring)
			bad = true
		case node.Hash != a.Hash:
			fmt.Fprintf(out, "another ring: the node's version %d has hash %v\n", node.Ring, node.Hash)
			bad = true
		case node.Node != a.Node:
			fmt.Fprintf(out, "they do not agree: the node says %s\n", clean(node.Node))
			bad = true
		default:
			fmt.Fprintln(out, "the node agrees")
		}
	}
	if bad {
		return errBad
	}
	return nil
}

// nodeRoute is a node's answer to GET /v1/route.
type nodeRoute struct {
	Node string       `json:"node"`
	Ring uint64       `json:"ring"`
	Hash cluster.Hash `json:"rh"`
}

// askTimeout is the deadline of a question to a node.
const askTimeout = 5 * time.Second

func askRoute(ctx context.Context, api, device string) (*nodeRoute, error) {
	b, err := get(ctx, api, "/v1/route?device="+url.QueryEscape(device), 64<<10)
	if err != nil {
		return nil, err
	}
	var n nodeRoute
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("%s: GET /v1/route: %w: is that the API address of a node in a cluster?", api, err)
	}
	return &n, nil
}

// get reads an answer of a node's API, of at most so many bytes.
func get(ctx context.Context, api, path string, most int64) ([]byte, error) {
	if u, err := url.Parse(api); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--url is %q: write the API address of a node, such as http://127.0.0.1:8081", api)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(api, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: is that the API address of a node?", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return nil, fmt.Errorf("%s%s: %s: %.200s", api, path, resp.Status, bytes.TrimSpace(text))
	}
	return readAtMost(resp.Body, most, api+path, "answer of a node")
}
