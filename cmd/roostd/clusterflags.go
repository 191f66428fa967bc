package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"roost/server/access"
	"roost/server/cluster"
	"roost/server/member"
	"roost/server/presence"
)

// clusterSettings are what the command line says of the cluster.
type clusterSettings struct {
	etcdFlags  access.EtcdFlags
	redisFlags access.RedisFlags
	hookURL    string

	etcd         access.Etcd // no endpoints: a node by itself
	prefix       string
	id           cluster.Identity
	redis        access.Redis
	redisPrefix  string
	replicas     int // that a kept message waits for
	zone         string
	capacity     float64 // devices; 0: the cap on connections
	pace         float64 // of what the ring does by itself
	advertise    string  // "": what the node listens on
	advertiseAPI string
	ringFile     string // "": none
	webhook      presence.WebhookOptions
}

// on reports whether this node is one of many.
func (c *clusterSettings) on() bool { return len(c.etcd.Endpoints) > 0 }

// clusterFlags are the names of flags that mean nothing without a cluster.
var clusterFlags = slices.Concat([]string{"etcd-prefix", "cluster", "environment", "redis-prefix", "redis-replicas", "zone", "weight-capacity", "ring-pace", "advertise", "advertise-api", "ring-file", "presence-webhook"},
	access.EtcdFlagNames, access.RedisFlagNames)

func (c *clusterSettings) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.etcdFlags.Endpoints, "etcd", "", "etcd of the cluster, `host:port,...`, each with https:// before it for TLS: makes this node one of many, with --redis")
	c.etcdFlags.Define(fs)
	fs.StringVar(&c.prefix, "etcd-prefix", cluster.DefaultPrefix, "`prefix` of the cluster's keys in etcd")
	fs.StringVar(&c.id.ID, "cluster", "roost", "`name` of the cluster; etcd and Redis refuse another one")
	fs.StringVar(&c.id.Environment, "environment", "development", "`name` of its environment; maintenance nights are for one")
	fs.StringVar(&c.redisFlags.URL, "redis", "", "Redis of the cluster, `URL`: redis://[user:password@]host:port, redis-cluster://host:port,..., redis-sentinel://host:port,.../master; rediss... for TLS")
	c.redisFlags.Define(fs)
	fs.StringVar(&c.redisPrefix, "redis-prefix", "roost", "`prefix` of the cluster's keys and channels in Redis")
	fs.IntVar(&c.replicas, "redis-replicas", 0, "`number` of Redis' replicas that have a kept message before it is accepted; where they do not say so within 1 s it is refused (503). Not in a Redis Cluster")
	fs.StringVar(&c.zone, "zone", "", "`name` of this node's zone")
	fs.Float64Var(&c.capacity, "weight-capacity", 0, "devices that this node is to have in the ring's eyes (default: --max-connections)")
	fs.Float64Var(&c.pace, "ring-pace", 1, "how many `times` faster the ring changes by itself: trials, weights, zones; for rehearsals, 1 to 10, the same at all nodes")
	fs.StringVar(&c.advertise, "advertise", "", "`URL` at which devices reach this node, ws://host:port (default: --listen)")
	fs.StringVar(&c.advertiseAPI, "advertise-api", "", "`URL` at which publishers and nodes reach its API, http://host:port (default: --api)")
	fs.StringVar(&c.ringFile, "ring-file", "", "`file` of the last ring, for a start while etcd is away (default: ring.json in --data-dir)")
	fs.StringVar(&c.hookURL, "presence-webhook", "", "`URL` that is told of changes of presence (secret: ROOST_WEBHOOK_SECRET)")
}

// means gives the flags their meaning. given are those that the command line has.
func (c *clusterSettings) means(s *settings, given map[string]bool, environ func(string) string) error {
	switch {
	case c.etcdFlags.Endpoints == "" && c.redisFlags.URL == "":
		for _, name := range clusterFlags {
			if given[name] {
				return fmt.Errorf("--%s is of a cluster: give --etcd and --redis too, or leave it out", name)
			}
		}
		return nil
	case c.redisFlags.URL == "":
		return errors.New("--etcd without --redis: nodes know of each other by etcd and speak by Redis; give both, or neither for a node by itself")
	case c.etcdFlags.Endpoints == "":
		return errors.New("--redis without --etcd: nodes know of each other by etcd and speak by Redis; give both, or neither for a node by itself")
	}
	var err error
	if c.etcd, err = c.etcdFlags.Read(environ); err != nil {
		return err
	}
	if c.redis, err = c.redisFlags.Read(environ); err != nil {
		return err
	}
	if c.ringFile == "" && s.dataDir != "" {
		c.ringFile = filepath.Join(s.dataDir, "ring.json")
	}
	c.webhook.URL, c.webhook.Secret = c.hookURL, []byte(environ("ROOST_WEBHOOK_SECRET"))
	return c.check(s)
}

// check refuses what cannot work, and names the node.
func (c *clusterSettings) check(s *settings) error {
	if s.opt.Node == "" {
		if _, port, err := net.SplitHostPort(s.opt.Listen); err != nil || port == "0" {
			return fmt.Errorf("a node of a cluster has a name, and --listen %s gives it none: give --node", s.opt.Listen)
		}
		s.opt.Node = s.opt.Listen
	}
	if err := (presence.Owner{Node: s.opt.Node, Incarnation: 1}).Check(); err != nil {
		return fmt.Errorf("--node %q: %w", s.opt.Node, err)
	}
	if c.redisPrefix == "" || strings.ContainsAny(c.redisPrefix, "{}") || strings.ContainsFunc(c.redisPrefix, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("--redis-prefix %q: want printable ASCII without spaces and braces", c.redisPrefix)
	}
	if c.replicas < 0 || c.replicas > mostReplicas {
		return fmt.Errorf("--redis-replicas %d: want 0 to %d", c.replicas, mostReplicas)
	}
	if c.replicas > 0 && c.redis.Kind == access.Cluster {
		return errors.New("--redis-replicas: a Redis Cluster is not waited for: leave it out, and set min-replicas-to-write and min-replicas-max-lag there")
	}
	if !(c.capacity >= 0) || c.capacity > 1e9 {
		return fmt.Errorf("--weight-capacity %v: want 1 to 1e9 devices, or 0 for --max-connections", c.capacity)
	}
	if !(c.pace >= 1 && c.pace <= member.MostPace) {
		return fmt.Errorf("--ring-pace %v: want 1 to %d", c.pace, member.MostPace)
	}
	return errors.Join(
		checkURL("advertise", c.advertise, "ws", "wss"),
		checkURL("advertise-api", c.advertiseAPI, "http", "https"),
		checkURL("presence-webhook", c.webhook.URL, "http", "https"),
	)
}

// mostReplicas is more than anybody has.
const mostReplicas = 16

// checkURL refuses what nobody could connect to.
func checkURL(name, s string, schemes ...string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("--%s %q: want %s://host:port", name, s, strings.Join(schemes, ":// or "))
	}
	return nil
}
