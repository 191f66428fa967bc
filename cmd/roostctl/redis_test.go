package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"roost/server/testredis"
)

// TestRedisSkew: of a real Cluster; its lines are redis-cli's.
func TestRedisSkew(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six servers")
	}
	c := testredis.StartSteadyCluster(t)
	inTemp(t)
	entry := c.Addrs()[0]
	zones := ""
	for i, s := range c.Nodes()[:testredis.Masters] {
		zones += fmt.Sprintf("%s eu-%d\n", s.Addr(), i)
	}
	if err := os.WriteFile("zones", []byte(zones), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, "redis skew --redis "+entry+" --zones zones", "")
	if err != nil || !strings.Contains(out, "nothing is to be moved") || !strings.Contains(out, "eu-2") || !strings.Contains(out, "sigma over zones, of slots/target: 0.000") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = call(t, "redis skew --redis redis://"+entry+" --zones zones --targets eu-0=0.5,eu-1=0.25,eu-2=0.25", "")
	ids := c.Nodes()[0].Text("CLUSTER", "MYID")
	if err != nil || !strings.Contains(out, "redis-cli --cluster rebalance "+entry+" --cluster-weight ") || !strings.Contains(out, ids+"=8192") ||
		!strings.Contains(out, "--cluster-to "+ids+" --cluster-slots 1365 --cluster-yes") || !strings.Contains(out, "2731 slots move, 2731 of them between zones") {
		t.Errorf("%v\n%s", err, out)
	}
	// What it prints can be carried out, and then nothing is left to do.
	small := "redis skew --redis " + entry + " --zones zones --targets eu-0=0.335,eu-1=0.3325,eu-2=0.3325"
	out, err = call(t, small, "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		args := strings.Fields(line)
		if len(args) < 3 || args[0] != "redis-cli" || args[2] != "rebalance" {
			continue
		}
		if text, err := exec.CommandContext(limit(t), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, text)
		}
	}
	testredis.Await(t, "all know the slots", func() bool {
		out, err = call(t, small, "")
		return err == nil && strings.Contains(out, "nothing is to be moved")
	})
	reshardByLines(t, c, "redis skew --redis "+entry+" --zones zones --targets eu-0=0.331,eu-1=0.332,eu-2=0.337 --json")
	for line, want := range map[string]string{
		"redis skew": "--redis host:port", "redis skew --redis " + entry + " --zones zones --zone-names x": "give one",
		"redis skew --redis " + entry + " --zone-names x": "has no group", "redis skew --redis " + entry + " --zones nowhere": "nowhere",
		"redis skew --redis " + entry + " --zones zones --targets eu-0=1": "say nothing of zone", "redis skew --redis 127.0.0.1:1": "127.0.0.1:1",
	} {
		if _, err := call(t, line, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// reshardByLines carries out the moves that a plan names, line by line, while the cluster has
// keys: every node has its slots afterwards, and every key is where it is looked for.
func reshardByLines(t *testing.T, c *testredis.Cluster, line string) {
	t.Helper()
	entry := c.Addrs()[0]
	cli := func(args ...string) string {
		t.Helper()
		text, err := exec.CommandContext(limit(t), "redis-cli", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %v: %v\n%s", args, err, text)
		}
		return strings.TrimSpace(string(text))
	}
	_, port, _ := strings.Cut(entry, ":")
	const keys = 50
	for i := range keys {
		cli("-c", "-p", port, "SET", fmt.Sprint("key-", i), fmt.Sprint(i))
	}
	plan := func() (p redisJSON) {
		t.Helper()
		out, err := call(t, line, "")
		if err != nil || json.Unmarshal([]byte(out), &p) != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return p
	}
	before := plan()
	if len(before.Reshard) < 1 || before.Moved < 20 {
		t.Fatalf("%+v", before)
	}
	for _, l := range before.Reshard {
		args := strings.Fields(l)
		testredis.Await(t, "the nodes agree on the move before", func() bool {
			return exec.CommandContext(limit(t), "redis-cli", "--cluster", "check", entry).Run() == nil
		})
		cli(args[1:]...)
	}
	want := map[string]int{}
	for _, n := range before.Nodes {
		want[n.ID] = n.After
	}
	testredis.Await(t, "the slots of the plan", func() bool {
		for _, n := range plan().Nodes {
			if n.Slots != want[n.ID] || n.Moving != 0 {
				return false
			}
		}
		return true
	})
	for i := range keys {
		if got := cli("-c", "-p", port, "GET", fmt.Sprint("key-", i)); got != fmt.Sprint(i) {
			t.Errorf("key-%d is %q", i, got)
		}
	}
}
