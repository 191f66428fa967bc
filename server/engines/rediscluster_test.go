package engines

import "testing"

func TestClusterFailsOver(t *testing.T) {
	c := StartRedisCluster(t)
	if len(c.Addrs()) != Masters+Replicas {
		t.Fatalf("addresses: %v", c.Addrs())
	}
	for i := range Masters {
		if m := c.Master(i); m != c.Nodes()[i] {
			t.Errorf("shard %d is served by %v", i, m)
		}
	}
	if testing.Short() {
		return // a failover takes some seconds
	}
	old := c.KillMaster(1)
	now := c.AwaitMaster(1, old)
	if now == old || !now.Alive() {
		t.Fatal("no failover")
	}
	old.Restart()
	c.AwaitOK()
	if c.Master(1) != now {
		t.Error("the old master took its slots back")
	}
}

func TestShardsCoverAllSlots(t *testing.T) {
	next := 0
	for i := range Masters {
		first, last := shard(i)
		if first != next || last < first {
			t.Errorf("shard %d is %d to %d, want it to begin at %d", i, first, last, next)
		}
		next = last + 1
	}
	if next != Slots {
		t.Errorf("shards end at %d", next)
	}
}

func TestSentinelsFailOver(t *testing.T) {
	if testing.Short() {
		t.Skip("Sentinels find each other by announcements each 2 s")
	}
	c := StartSentinels(t)
	first := c.Master()
	first.Text("SET", "k", "1")
	old := c.KillMaster()
	if now := c.AwaitMaster(old); now == first || now.Text("GET", "k") != "1" {
		t.Errorf("after %s the master is %s", first.Addr(), now.Addr())
	}
}
