package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"roost/server/admission"
	"roost/server/cluster"
)

// TestClusterFlags: what the flags of a cluster mean, and what is refused, with what to do.
func TestClusterFlags(t *testing.T) {
	environ := func(name string) string {
		return map[string]string{"ROOST_REDIS_PASSWORD": "pr", "ROOST_ETCD_USER": "ue", "ROOST_ETCD_PASSWORD": "pe"}[name]
	}
	both := []string{"--etcd", "e1:2379,http://e2", "--redis", "redis://r:1"}
	s, err := parse(append(both, "--data-dir", "/d", "--listen", "127.0.0.1:7000"), environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := s.cluster
	if !c.on() || s.inbox != "redis" || s.opt.Node != "127.0.0.1:7000" || c.ringFile != "/d/ring.json" ||
		!reflect.DeepEqual(c.etcd.Endpoints, []string{"e1:2379", "e2:2379"}) || c.etcd.User != "ue" || c.etcd.Password != "pe" || c.redis.Password != "pr" ||
		c.id != (cluster.Identity{ID: "roost", Environment: "development"}) || c.prefix != "/roost" || c.redisPrefix != "roost" || c.replicas != 0 {
		t.Errorf("defaults: %+v, inbox %s, node %s", c, s.inbox, s.opt.Node)
	}
	s, err = parse(append(both, "--node", "n1", "--zone", "z", "--cluster", "desk", "--environment", "test", "--etcd-prefix", "/desk", "--redis-prefix", "desk", "--redis-replicas", "2",
		"--weight-capacity", "500", "--advertise", "wss://n1.example", "--advertise-api", "http://10.0.0.1:81", "--ring-file", "/r", "--inbox", "redis", "--listen", "127.0.0.1:0"), environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c = s.cluster
	if s.opt.Node != "n1" || c.zone != "z" || c.id != (cluster.Identity{ID: "desk", Environment: "test"}) || c.prefix != "/desk" || c.redisPrefix != "desk" || c.replicas != 2 ||
		c.capacity != 500 || c.advertise != "wss://n1.example" || c.advertiseAPI != "http://10.0.0.1:81" || c.ringFile != "/r" {
		t.Errorf("all given: %+v", c)
	}
	for _, tt := range []struct {
		args string
		want string
	}{
		{"--etcd e:1", "--etcd without --redis"},
		{"--redis redis://r:1", "--redis without --etcd"},
		{"--zone a", "--zone is of a cluster"},
		{"--cluster desk", "--cluster is of a cluster"},
		{"--inbox redis", "give --etcd and --redis"},
		{"--etcd e:1 --redis redis://r:1 --inbox memory", "one of many"},
		{"--etcd e:1 --redis redis://r:1 --inbox file --data-dir /d", "one of many"},
		{"--etcd e:1 --redis r:1", "redis-cluster://"},
		{"--etcd e:x --redis redis://r:1", `port "x"`},
		{"--etcd , --redis redis://r:1", "host:port"},
		{"--etcd ftp://e --redis redis://r:1", "want host:port"},
		{"--etcd https://e,f --redis redis://r:1", "for all of them"},
		{"--etcd e:1 --redis redis://r:1 --listen 127.0.0.1:0", "give --node"},
		{"--etcd e:1 --redis redis://r:1 --node {n}", "braces"},
		{"--etcd e:1 --redis redis://r:1 --redis-prefix {x}", "--redis-prefix"},
		{"--etcd e:1 --redis redis://r:1 --redis-replicas -1", "want 0 to 16"},
		{"--etcd e:1 --redis redis-cluster://r:1 --redis-replicas 1", "min-replicas-to-write"},
		{"--redis-replicas 1", "of a cluster"},
		{"--etcd e:1 --redis redis://r:1 --weight-capacity -1", "--weight-capacity"},
		{"--etcd e:1 --redis redis://r:1 --weight-capacity NaN", "--weight-capacity"},
		{"--etcd e:1 --redis redis://r:1 --advertise http://n", "ws:// or wss://"},
		{"--etcd e:1 --redis redis://r:1 --advertise-api n:80", "http:// or https://"},
		{"--etcd e:1 --redis redis://r:1 --ring-pace 11", "want 1 to 10"},
		{"--ring-pace 2", "of a cluster"},
	} {
		if _, err := parse(strings.Fields(tt.args), func(string) string { return "" }, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// TestEveryClusterFlagIsNamed: a flag of the cluster that a node by itself is given is refused,
// whichever it is.
func TestEveryClusterFlagIsNamed(t *testing.T) {
	var help strings.Builder
	_, _ = parse([]string{"--help"}, func(string) string { return "" }, &help)
	for _, name := range clusterFlags {
		if !strings.Contains(help.String(), "-"+name+" ") {
			t.Errorf("clusterFlags names %s, which is no flag", name)
		}
	}
	for _, want := range []string{"ROOST_REDIS_PASSWORD", "ROOST_ETCD_PASSWORD", "-etcd ", "-redis "} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("--help does not say %s", want)
		}
	}
}

// TestConnectFlags: how often devices may connect is bounded unless the command line says otherwise.
func TestConnectFlags(t *testing.T) {
	for args, want := range map[string]admission.Limits{
		"": admission.Usual,
		"--accept-rate 0 --address-rate 0 --device-rate 0 --quarantine 0":        {},
		"--accept-rate 500 --address-rate 20 --device-rate 0.5 --quarantine 30s": {Node: 500, Address: 20, Device: 0.5, Quarantine: 30 * time.Second},
	} {
		s, err := parse(strings.Fields(args), func(string) string { return "" }, io.Discard)
		if err != nil || s.opt.Connects != want {
			t.Errorf("%q: %+v, %v; want %+v", args, s.opt.Connects, err, want)
		}
	}
	for args, want := range map[string]string{
		"--accept-rate -1":      "accept-rate is -1: want 0.1 to 1,000,000 connects a second, or 0 for no limit",
		"--address-rate 0.01":   "address-rate is 0.01",
		"--device-rate 1e9":     "device-rate is 1e+09",
		"--quarantine 2h":       "quarantine is 2h0m0s: want whole seconds up to 1h0m0s, or 0 for none",
		"--quarantine 1500ms":   "quarantine is 1.5s",
		"--accept-rate several": "invalid value",
	} {
		if _, err := parse(strings.Fields(args), func(string) string { return "" }, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
