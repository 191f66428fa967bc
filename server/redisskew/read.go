package redisskew

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Timeout is the deadline of each node's answers.
const Timeout = 5 * time.Second

// ErrNoCluster is that what was asked is a Redis alone.
var ErrNoCluster = errors.New("redisskew: not a Redis Cluster")

// Cluster is what was read.
type Cluster struct {
	// Entry is the address that was asked.
	Entry string
	Nodes []Node // masters, by id
	// Slots is how many are served by anybody, of slots.Count.
	Slots int
}

// maxNodes bounds how many masters are asked at once, and maxMasters how many a
// cluster may have: a thousand is Redis's own recommendation.
const (
	maxAtOnce  = 16
	maxMasters = 1024
)

// Where is a node of a Redis Cluster, and as whom to ask it and the others.
type Where struct {
	Addr           string // host:port
	User, Password string
	TLS            *tls.Config // nil: plain TCP
}

// Read asks the Redis Cluster that has a node there. Errors are ErrNoCluster, or what
// keeps the first node from answering.
func Read(ctx context.Context, where Where) (*Cluster, error) {
	o := where.option()
	c := &Cluster{Entry: o.InitAddress[0]}
	text, err := ask(ctx, o, c.Entry, func(ctx context.Context, r rueidis.Client) (string, error) {
		return r.Do(ctx, r.B().ClusterNodes().Build()).ToString()
	})
	switch {
	case err != nil && strings.Contains(err.Error(), "cluster support disabled"):
		return nil, fmt.Errorf("%w: %s runs without cluster mode: there are no slots to even out", ErrNoCluster, c.Entry)
	case err != nil:
		return nil, fmt.Errorf("ask %s for its cluster: %w", c.Entry, err)
	}
	if c.Nodes, err = parseNodes(text); err != nil {
		return nil, err
	}
	if len(c.Nodes) > maxMasters {
		return nil, fmt.Errorf("%s names %d masters, at most %d are looked at", c.Entry, len(c.Nodes), maxMasters)
	}
	var all sync.WaitGroup
	turn := make(chan struct{}, maxAtOnce)
	for i := range c.Nodes {
		c.Slots += c.Nodes[i].Slots
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			c.Nodes[i].read(ctx, o)
		})
	}
	all.Wait()
	return c, ctx.Err()
}

// option is for one connection to one node: following the cluster would ask whoever has
// a key.
func (w *Where) option() rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: []string{w.Addr}, Username: w.User, Password: w.Password, TLSConfig: w.TLS, ClientName: "roostctl",
		ForceSingleClient: true, DisableCache: true, DisableRetry: true,
		Dialer: net.Dialer{Timeout: Timeout}, ConnWriteTimeout: Timeout,
		AlwaysRESP2:       true,                     // RESP3 has "txt:" before the text of CLUSTER NODES
		RingScaleEachConn: 8, PipelineMultiplex: -1, // a few commands on one connection
	}
}

// ask connects to a node, asks it, and leaves it.
func ask[V any](ctx context.Context, o rueidis.ClientOption, addr string, f func(context.Context, rueidis.Client) (V, error)) (v V, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	o.InitAddress = []string{addr}
	type made struct {
		client rueidis.Client
		err    error
	}
	// NewClient takes no context: it connects, within the dialer's time.
	done := make(chan made, 1)
	go func() {
		client, err := rueidis.NewClient(o)
		done <- made{client, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			return v, m.err
		}
		defer m.client.Close()
		return f(ctx, m.client)
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				m.client.Close()
			}
		}()
		return v, ctx.Err()
	}
}

// read has a master tell of itself.
func (n *Node) read(ctx context.Context, o rueidis.ClientOption) {
	_, n.Err = ask(ctx, o, n.Addr, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		answers := r.DoMulti(ctx, r.B().Info().Section("memory").Build(), r.B().Dbsize().Build())
		info, err := answers[0].ToString()
		if err != nil {
			return struct{}{}, err
		}
		n.Memory, n.MaxMemory = infoField(info, "used_memory"), infoField(info, "maxmemory")
		if n.Keys, err = answers[1].AsInt64(); err != nil {
			n.Keys = -1
			return struct{}{}, err
		}
		return struct{}{}, nil
	})
}
