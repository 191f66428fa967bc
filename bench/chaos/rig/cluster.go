package rig

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"roost/server/engines"
)

// Options say what a cluster is made of. Roostd and Logs are needed.
type Options struct {
	Roostd       string   // binary
	Logs         string   // folder of what nodes and servers say
	Env          []string // of nodes
	Args         []string // of every node, behind what is always there
	Links        bool     // each node has its own ways to etcd and Redis (a single one)
	RedisCluster bool     // six Redis instead of one
	Sentinels    bool     // a master, a replica and three Sentinels instead of one
	RedisArgs    []string // of every Redis; default: an append-only file, synced before each answer
}

// Cluster is etcd, Redis and nodes.
type Cluster struct {
	// Static after New.
	tb        engines.Owner
	o         Options
	Etcd      *engines.Etcd
	Redis     *engines.Redis        // nil with one of the following
	Shards    *engines.RedisCluster // nil without RedisCluster
	Sentinels *engines.Sentinels    // nil without Sentinels

	// Owned by the owner's goroutine.
	Nodes []*Node
}

// Zones of nodes, by turns.
var Zones = []string{"a", "b"}

// synced is a Redis that has stored what it answers: what the contract calls durable.
var synced = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

// quick asks nodes whether they are there.
var quick = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// New starts etcd and Redis; nodes are to be added.
func New(tb engines.Owner, o Options) *Cluster {
	tb.Helper()
	if o.RedisArgs == nil {
		o.RedisArgs = synced
	}
	if err := os.MkdirAll(o.Logs, 0o755); err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(asking.CloseIdleConnections)
	c := &Cluster{tb: tb, o: o, Etcd: engines.StartEtcd(tb)}
	switch {
	case o.RedisCluster:
		c.Shards = engines.StartRedisCluster(tb, o.RedisArgs...)
	case o.Sentinels:
		c.Sentinels = engines.StartSentinels(tb, o.RedisArgs...)
	default:
		c.Redis = engines.StartRedis(tb, o.RedisArgs...)
	}
	return c
}

// Add makes a node that has not started. args come behind the cluster's and override
// them.
func (c *Cluster) Add(args ...string) *Node {
	c.tb.Helper()
	i := len(c.Nodes)
	n := &Node{tb: c.tb, c: c, ID: fmt.Sprintf("n%d", i+1), Zone: Zones[i%len(Zones)]}
	n.dir = filepath.Join(c.tb.TempDir(), n.ID)
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		c.tb.Fatalf("%v", err)
	}
	for _, addr := range []*string{&n.Listen, &n.API} {
		port, err := engines.FreePort()
		if err != nil {
			c.tb.Fatalf("node %s: %v", n.ID, err)
		}
		*addr = fmt.Sprintf("127.0.0.1:%d", port)
	}
	etcd, redis := c.Etcd.Addr(), c.redisURL()
	if c.o.Links {
		n.ToEtcd = newLink(c.tb, n.ID+"-etcd", etcd)
		n.ToRedis = newLink(c.tb, n.ID+"-redis", c.Redis.Addr())
		etcd, redis = n.ToEtcd.Addr(), "redis://"+n.ToRedis.Addr()
	}
	n.args = append([]string{
		"--listen", n.Listen, "--api", n.API, "--auth", "none", "--data-dir", n.dir,
		"--etcd", etcd, "--redis", redis, "--cluster", "chaos", "--environment", "test",
		"--node", n.ID, "--zone", n.Zone, "--advertise", "ws://" + n.Listen, "--advertise-api", "http://" + n.API,
		"--inbox-unknown", "store",
	}, append(c.o.Args, args...)...)
	c.Nodes = append(c.Nodes, n)
	c.tb.Cleanup(n.Kill)
	return n
}

// redisURL is what a node is given.
func (c *Cluster) redisURL() string {
	switch {
	case c.Shards != nil:
		return "redis-cluster://" + strings.Join(c.Shards.Addrs(), ",")
	case c.Sentinels != nil:
		return "redis-sentinel://" + strings.Join(c.Sentinels.Addrs(), ",") + "/" + engines.MasterSet
	}
	return "redis://" + c.Redis.Addr()
}

// Start starts all nodes that do not run, and waits until they are ready.
func (c *Cluster) Start() {
	c.tb.Helper()
	for _, n := range c.Nodes {
		if !n.Alive() {
			n.Start()
		}
	}
	for _, n := range c.Nodes {
		n.Await()
	}
}

// Living returns the nodes that run, stopped or not.
func (c *Cluster) Living() (living []*Node) {
	for _, n := range c.Nodes {
		if n.Alive() {
			living = append(living, n)
		}
	}
	return living
}

// Node returns a node by its id, nil if there is none.
func (c *Cluster) Node(id string) *Node {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}
