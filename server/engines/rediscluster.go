package engines

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shape of a Cluster.
const (
	Masters  = 3
	Replicas = 3 // one a master
	Slots    = 16384
)

// nodeTimeout is after how long without an answer a node counts as gone: production has
// 15 s. A failover takes it and one to two seconds.
const nodeTimeout = time.Second

// RedisCluster is a Redis Cluster of three masters with a replica each. Shard i of 0, 1, 2 is
// the i-th third of the slots, whoever serves it.
type RedisCluster struct {
	// Static after StartRedisCluster.
	tb    Owner
	nodes []*Redis
}

// StartRedisCluster runs a cluster until its owner ends. It returns when every node sees all
// slots served and all replicas, and every replica is in step. args are added to each server's command line.
//
// A node that does not answer for 1 s counts as gone.
func StartRedisCluster(tb Owner, args ...string) *RedisCluster {
	tb.Helper()
	c := &RedisCluster{tb: tb}
	for range Masters + Replicas {
		c.nodes = append(c.nodes, start(tb, Redis{extra: args}, true))
	}
	for i, s := range c.nodes {
		// Epochs that differ from the start: nodes that agree on one settle that first.
		s.Text("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		if i < Masters {
			first, last := shard(i)
			s.Text("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(first), fmt.Sprint(last))
		}
		// Everybody meets everybody: gossip alone takes seconds.
		for _, other := range c.nodes[:i] {
			s.Text("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(other.port), fmt.Sprint(other.cluster))
		}
	}
	Await(tb, "all nodes of the cluster know each other", func() bool {
		return !slices.ContainsFunc(c.nodes, func(s *Redis) bool { return c.met(s) < len(c.nodes) })
	})
	for i, s := range c.nodes[Masters:] {
		s.Text("CLUSTER", "REPLICATE", c.nodes[i].Text("CLUSTER", "MYID"))
	}
	c.AwaitOK()
	Await(tb, "all nodes of the cluster know who is a replica", func() bool {
		return !slices.ContainsFunc(c.nodes, func(s *Redis) bool { return s.replicas() < Replicas })
	})
	return c
}

// replicas counts the replicas that s knows.
func (s *Redis) replicas() (n int) {
	for _, l := range lines(s) {
		if l.has("slave") {
			n++
		}
	}
	return n
}

// shard returns the first and last slot of a shard.
func shard(i int) (first, last int) { return i * Slots / Masters, (i+1)*Slots/Masters - 1 }

// met counts the nodes that s knows and is through the handshake with, itself included.
func (c *RedisCluster) met(s *Redis) int {
	n := 0
	for _, l := range lines(s) {
		if !l.has("handshake") && !l.has("noaddr") {
			n++
		}
	}
	return n
}

// Addrs returns host:port of all six, masters of the beginning first.
func (c *RedisCluster) Addrs() []string {
	var addrs []string
	for _, s := range c.nodes {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Nodes returns the six servers in the order of Addrs.
func (c *RedisCluster) Nodes() []*Redis { return slices.Clone(c.nodes) }

// Master returns who serves a shard in the eyes of the others that live, nil if nobody does.
func (c *RedisCluster) Master(i int) *Redis {
	first, _ := shard(i)
	for _, witness := range c.nodes {
		if !witness.Alive() || witness.paused {
			continue
		}
		for _, l := range lines(witness) {
			if !l.has("master") || l.has("fail") || !l.serves(first) {
				continue
			}
			if s := c.at(l.addr); s != nil && s.Alive() {
				return s
			}
		}
	}
	return nil
}

func (c *RedisCluster) at(addr string) *Redis {
	for _, s := range c.nodes {
		if s.Addr() == addr {
			return s
		}
	}
	return nil
}

// KillMaster ends the server that serves a shard as a crash does and returns it, so that it
// can be started again. It does not wait for the failover: AwaitMaster does.
func (c *RedisCluster) KillMaster(i int) *Redis {
	c.tb.Helper()
	s := c.Master(i)
	if s == nil {
		c.tb.Fatalf("nobody serves shard %d", i)
	}
	s.Kill()
	return s
}

// AwaitMaster waits until another server than old serves a shard, everybody who lives sees
// all slots served, and returns the new one.
func (c *RedisCluster) AwaitMaster(i int, old *Redis) *Redis {
	c.tb.Helper()
	var now *Redis
	Await(c.tb, fmt.Sprintf("another master for shard %d", i), func() bool {
		now = c.Master(i)
		return now != nil && now != old
	})
	c.AwaitOK()
	return now
}

// AwaitOK waits until every server that lives sees all slots served, and every replica that
// lives is connected with its master.
func (c *RedisCluster) AwaitOK() {
	c.tb.Helper()
	Await(c.tb, "the cluster is whole", func() bool {
		return !slices.ContainsFunc(c.nodes, func(s *Redis) bool { return s.Alive() && !s.paused && !inStep(s) })
	})
}

// inStep reports whether s sees the whole cluster and has its master's data.
func inStep(s *Redis) bool {
	info, err := s.Do("CLUSTER", "INFO")
	if text, _ := info.(string); err != nil || !strings.Contains(text, "cluster_state:ok") {
		return false
	}
	repl, err := s.Do("INFO", "replication")
	text, _ := repl.(string)
	return err == nil && !strings.Contains(text, "master_link_status:down")
}

// line is one of CLUSTER NODES.
type line struct {
	addr  string
	flags []string
	slots [][2]int
}

func (l line) has(flag string) bool { return slices.Contains(l.flags, flag) }

func (l line) serves(slot int) bool {
	return slices.ContainsFunc(l.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
}

// lines is what s knows of the cluster; nothing if it does not answer.
func lines(s *Redis) []line {
	text, err := s.Do("CLUSTER", "NODES")
	if err != nil {
		return nil
	}
	var ls []line
	for text := range strings.Lines(fmt.Sprint(text)) {
		// id ip:port@bus[,name] flags master ping pong epoch link slot slot-slot [slot->-node]
		f := strings.Fields(text)
		if len(f) < 8 {
			continue
		}
		addr, _, _ := strings.Cut(f[1], "@")
		l := line{addr: addr, flags: strings.Split(f[2], ",")}
		for _, r := range f[8:] {
			from, to, isRange := strings.Cut(r, "-")
			if !isRange {
				to = from
			}
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err1 == nil && err2 == nil {
				l.slots = append(l.slots, [2]int{a, b})
			}
		}
		ls = append(ls, l)
	}
	return ls
}
