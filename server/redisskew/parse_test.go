package redisskew

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"roost/ring/slots"
)

func id(c string) string { return strings.Repeat(c, 40) }

// TestParseNodes: what Redis 7 and 8 write, with names, replicas, slots on their way,
// nodes that nobody knows yet, and IPv6.
func TestParseNodes(t *testing.T) {
	text := id("b") + " 10.0.0.2:7001@17001,redis-b.eu-2a,shard-id=5 master - 0 1700000000000 2 connected 5461-10922 [93->-" + id("a") + "]\n" +
		id("a") + " 10.0.0.1:7000@17000,,tls-port=0 myself,master - 0 0 1 connected 0-5460 16000\n" +
		id("c") + " [fd00::3]:7002@17002 master,fail - 0 0 3 disconnected 10923-15999 16001-16383\n" +
		id("d") + " 10.0.0.4:7003@17003 slave " + id("a") + " 0 0 1 connected\n" +
		id("e") + " 10.0.0.5:7003@17003 slave,fail? " + id("a") + " 0 0 1 connected\n" +
		id("f") + " 10.0.0.6:7003@17003 handshake - 0 0 0 connected\n" +
		id("0") + " :0@0 master,noaddr - 0 0 0 disconnected\n\n"
	got, err := parseNodes(text)
	if err != nil {
		t.Fatal(err)
	}
	unknown := func(n Node) Node { n.Keys, n.Memory, n.MaxMemory = -1, -1, -1; return n }
	want := []Node{
		unknown(Node{ID: id("a"), Addr: "10.0.0.1:7000", Replicas: []string{"10.0.0.4:7003", "10.0.0.5:7003"}, Slots: 5462}),
		unknown(Node{ID: id("b"), Addr: "10.0.0.2:7001", Host: "redis-b.eu-2a", Slots: 5462, Moving: 1}),
		unknown(Node{ID: id("c"), Addr: "[fd00::3]:7002", Slots: 5460, Down: true}),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for _, bad := range []string{"x", id("a") + " 1:1@2 master - 0 0 1 connected 5-3", id("a") + " 1:1@2 master - 0 0 1 connected 0-16384", id("a") + " 1:1@2 master - 0 0 1 connected x",
		id("a") + " 1:1@2 master - 0 0 1 connected -5", id("a") + " 1:1@2 master - 0 0 1 connected 0-16383 0-16383"} {
		if _, err := parseNodes(bad); err == nil || !strings.Contains(err.Error(), "CLUSTER NODES") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add(id("a") + " 10.0.0.1:7000@17000,h,k=v myself,master - 0 0 1 connected 0-5460 [5-<-x]")
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := parseNodes(text)
		for _, n := range nodes {
			if err != nil || n.Slots < 0 || n.Slots > slots.Count {
				t.Errorf("%+v, %v", n, err)
			}
		}
	})
}

// TestLabels: id before address before name, and a pattern on names.
func TestLabels(t *testing.T) {
	l, err := ReadLabels(strings.NewReader("# zones\n" + id("a") + " x\n10.0.0.2:7001 y # b\n\n10.0.0.2 z\nredis-d w\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n    Node
		want string
	}{{Node{ID: id("a"), Addr: "10.0.0.2:7001"}, "x"}, {Node{ID: id("b"), Addr: "10.0.0.2:7001"}, "y"}, {Node{ID: id("b"), Addr: "10.0.0.2:7002"}, "z"},
		{Node{ID: id("b"), Addr: "10.0.0.9:1", Host: "redis-d"}, "w"}, {Node{ID: id("b"), Addr: "10.0.0.9:1"}, ""}} {
		if got := l.Zone(&c.n); got != c.want {
			t.Errorf("%+v: %q, want %q", c.n, got, c.want)
		}
	}
	for text, want := range map[string]string{"a\n": "line 1", "a x\na y\n": "twice", "a b c": "write NODE ZONE"} {
		if _, err := ReadLabels(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	named, err := NamedLabels(`\.(eu-\d)[a-z]$`)
	if err != nil || named.Zone(&Node{Host: "redis-b.eu-2a"}) != "eu-2" || named.Zone(&Node{Addr: "10.0.0.1:1"}) != "" {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"(", "eu"} {
		if _, err := NamedLabels(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if (&Labels{}).Zone(&Node{ID: "a"}) != "" {
		t.Error("nothing is said")
	}
}

// TestHoldings: by memory where all have a limit, by zone where targets are set; the
// given case comes out.
func TestHoldings(t *testing.T) {
	c := &Cluster{}
	for i, n := range []int{7210, 5120, 4054} {
		c.Nodes = append(c.Nodes, Node{ID: id(string(rune('a' + i))), Addr: fmt.Sprintf("10.0.0.%d:1", i), Slots: n, MaxMemory: int64(i+1) << 30, Keys: int64(n * 10), Memory: -1})
	}
	l, _ := ReadLabels(strings.NewReader("10.0.0.0 eu-1\n10.0.0.1 eu-2\n10.0.0.2 eu-3\n"))
	hs, err := c.Holdings(&l, nil)
	if err != nil || hs[2].Weight != 3<<30 || hs[2].Zone != "eu-3" {
		t.Errorf("%+v, %v", hs, err)
	}
	hs, err = c.Holdings(&l, map[string]float64{"eu-1": 0.40, "eu-2": 0.35, "eu-3": 0.25})
	if err != nil {
		t.Fatal(err)
	}
	p, err := slots.Rebalance(hs, slots.Threshold)
	if err != nil || !reflect.DeepEqual(p.After, []int{6554, 5734, 4096}) {
		t.Errorf("%+v, %v", p, err)
	}
	s := c.ZoneSkews(hs)
	if math.Abs(s.Slots.Sigma-0.208) > 0.001 || math.Abs(s.Keys.Sigma-s.Slots.Sigma) > 1e-9 || s.Memory.Sigma != 0 || s != c.NodeSkews(hs) {
		t.Errorf("%+v", s)
	}
	for _, bad := range []map[string]float64{{"eu-1": 1}, {"eu-1": 1, "eu-2": 1, "eu-3": 1, "eu-4": 1}} {
		if _, err := c.Holdings(&l, bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	c.Nodes[0].MaxMemory = 0
	if hs, err = c.Holdings(&l, nil); err != nil || hs[2].Weight != 1 {
		t.Errorf("%+v, %v", hs, err)
	}
}
