package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"roost/server/engines"
)

const (
	// startWithin bounds each step of the start. The slowest takes about a second,
	// nodes' waiting for each other before they make the first ring.
	startWithin = 30 * time.Second
	// drainWithin is how long nodes have for their drain before a second SIGTERM cuts it:
	// the last one waits for devices that have nowhere to go. endWithin is when those that
	// are left are killed.
	drainWithin = 4 * time.Second
	endWithin   = 20 * time.Second
	// look is how often a state is looked at.
	look = 50 * time.Millisecond
)

// desk is what runs. It belongs to one goroutine.
type desk struct {
	*settings
	out io.Writer

	// Set by start.
	owner owner
	etcd  *engines.Etcd
	redis *engines.Redis
	nodes []*node
}

// node is one roostd.
type node struct {
	name, zone, listen, api, log string
	args                         []string
	p                            *engines.Process
}

// start starts everything and waits until all nodes are on one ring.
func (d *desk) start(ctx context.Context) (err error) {
	if err := d.owner.open(d.dir); err != nil {
		return err
	}
	if err := d.startEngines(); err != nil {
		return err
	}
	for i := range d.settings.nodes {
		n, err := d.place(i)
		if err != nil {
			return err
		}
		// All at once: nodes that come together make one ring together, where a
		// later one would be on trial for five minutes.
		if err := n.launch(d.roostd()); err != nil {
			return err
		}
		d.nodes = append(d.nodes, n)
	}
	for _, n := range d.nodes {
		if err := d.await(ctx, "ready", func() error { return get(n.api, "/readyz", nil) }); err != nil {
			return err
		}
	}
	return d.await(ctx, "on one ring", d.agree)
}

// startEngines starts etcd and Redis. They say by a panic of the owner what keeps
// them from it.
func (d *desk) startEngines() (err error) {
	defer d.owner.caught(&err)
	d.etcd = engines.StartEtcd(&d.owner)
	d.redis = engines.StartRedis(&d.owner)
	return nil
}

// zones are where nodes stand, in turn.
var zones = [2]string{"zone-a", "zone-b"}

// place chooses name, zone, ports and folder of a node.
func (d *desk) place(i int) (*node, error) {
	n := &node{name: fmt.Sprintf("n%d", i+1), zone: zones[i%len(zones)]}
	for _, addr := range []struct {
		to   *string
		port int
	}{{&n.listen, 8080 + 10*i}, {&n.api, 8081 + 10*i}} {
		port, err := freePort(addr.port)
		if err != nil {
			return nil, err
		}
		*addr.to = fmt.Sprintf("127.0.0.1:%d", port)
	}
	data := filepath.Join(d.owner.dir, n.name)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	n.log = data + ".log"
	n.args = []string{
		"--node", n.name, "--zone", n.zone, "--data-dir", data,
		"--listen", n.listen, "--advertise", "ws://" + n.listen,
		"--api", n.api, "--advertise-api", "http://" + n.api,
		"--etcd", d.etcd.Addr(), "--redis", "redis://" + d.redis.Addr(),
		"--weight-capacity", "10000",
	}
	return n, nil
}

// launch starts the process.
func (n *node) launch(roostd string) error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	n.p, err = engines.Launch(roostd, n.args, nil, log)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return nil
}

// await waits until a look finds no error. It gives up when a process has ended,
// after startWithin, and with ctx.
func (d *desk) await(ctx context.Context, what string, done func() error) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var last error
	for end := time.Now().Add(startWithin); time.Now().Before(end); {
		if last = done(); last == nil {
			return nil
		}
		for _, n := range d.nodes {
			if !n.p.Alive() {
				return d.failure(n, "ended: "+n.p.Exit())
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return d.failure(d.nodes[0], fmt.Sprintf("not %s after %v: %v", what, startWithin, last))
}

// failure says what a node has come to, with the end of its log.
func (d *desk) failure(n *node, what string) error {
	said, _ := os.ReadFile(n.log)
	return fmt.Errorf("%s %s; its log ends:\n%s", n.name, what, said[max(0, len(said)-2000):])
}

// ringAnswer is what is read of GET /v1/ring.
type ringAnswer struct {
	Activation int64
	StableHash string `json:"stable_hash"`
}

// agree returns an error until all nodes see each other and hold one ring.
func (d *desk) agree() error {
	var first ringAnswer
	for i, n := range d.nodes {
		var all struct {
			ringAnswer
			Nodes []struct{ ID string }
		}
		if err := get(n.api, "/v1/ring", &all); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if len(all.Nodes) != len(d.nodes) || all.StableHash == "" {
			return fmt.Errorf("%s sees %d nodes of %d, ring %q", n.name, len(all.Nodes), len(d.nodes), all.StableHash)
		}
		if i == 0 {
			first = all.ringAnswer
		}
		if !reflect.DeepEqual(all.ringAnswer, first) {
			return fmt.Errorf("%s is on another ring than %s: %+v, %+v", n.name, d.nodes[0].name, all.ringAnswer, first)
		}
	}
	return nil
}

var asker = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get asks a node's API and reads JSON into v, which may be nil.
func get(api, path string, v any) error {
	resp, err := asker.Get("http://" + api + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(v)
}

// watch waits for ctx, and says which process has ended meanwhile: a node may be
// killed to see what happens.
func (d *desk) watch(ctx context.Context) {
	alive := map[string]func() bool{"etcd": d.etcd.Alive, "redis": d.redis.Alive}
	for _, n := range d.nodes {
		alive[n.name] = n.p.Alive
	}
	tick := time.NewTicker(10 * look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for name, isAlive := range alive {
			if !isAlive() {
				fmt.Fprintf(d.out, "%s has ended\n", name)
				delete(alive, name)
			}
		}
	}
}

// end ends the nodes in order, those that take too long with less ado, and then
// what they stand on. It removes the temporary folder.
func (d *desk) end() error {
	var errs []error
	began := time.Now()
	d.terminate(drainWithin)
	d.terminate(endWithin - time.Since(began))
	for _, n := range d.nodes {
		if n.p.Alive() {
			n.p.Kill()
			errs = append(errs, d.failure(n, fmt.Sprintf("was killed: it had not ended after %v", endWithin)))
		}
	}
	return errors.Join(append(errs, d.owner.end())...)
}

// terminate sends the nodes that live a SIGTERM and waits for their end.
func (d *desk) terminate(within time.Duration) {
	for _, n := range d.nodes {
		_ = n.p.Signal(syscall.SIGTERM) // one that has ended needs none
	}
	late := time.NewTimer(within)
	defer late.Stop()
	for _, n := range d.nodes {
		select {
		case <-n.p.Ended():
		case <-late.C:
			return
		}
	}
}
