package chaos

import (
	"fmt"
	"time"

	"roost/bench/chaos/rig"
)

// engineScenarios hurt etcd and Redis.
var engineScenarios = []Scenario{
	{Name: "redis-kill", About: "Redis is killed (SIGKILL), and started again on its data after 5 s", Hurt: redisKill},
	{Name: "redis-kill-again", About: "Redis is killed six times more, 50 ms to 2.5 s after it is back each time, while nodes sweep", Devices: 5000, Hurt: redisKillAgain},
	{Name: "redis-stop", About: "Redis is stopped (SIGSTOP) for 15 s: connections stay open and silent", Hurt: redisStop},
	{Name: "etcd-kill", About: "etcd is killed (SIGKILL), and started again on its data after 15 s, longer than the leases", Hurt: etcdKill},
	{Name: "etcd-stop", About: "etcd is stopped (SIGSTOP) for 20 s", Hurt: etcdStop},
	{Name: "lease-expiry", About: "the leases of each node end in turn, as if it had not refreshed them", Hurt: leaseExpiry},
	{Name: "compaction", About: "etcd is compacted three times while a node's watch is behind", Rig: rig.Options{Links: true}, Hurt: compaction},
	{Name: "redis-cluster-failover", About: "a master of a Redis Cluster is killed, its replica takes over, it comes back as a replica",
		Rig: rig.Options{RedisCluster: true}, Streams: true, Hurt: failover},
	{Name: "redis-sentinel-failover", About: "a master that Sentinels watch is killed, its replica takes over, it comes back as a replica and is made master again (SENTINEL FAILOVER)",
		Rig: rig.Options{Sentinels: true}, Streams: true, Hurt: sentinels},
}

// connectionsKept notes a fault for devices that lost their connection although
// none of this was theirs to see.
func (x *trial) connectionsKept(from time.Duration) {
	if gaps := x.fleet.Gaps(from, x.now()); len(gaps) > 0 {
		x.fault("%d times a device was without a connection, the first for %v at %s: an outage that devices do not need must not cut them",
			len(gaps), (gaps[0].To - gaps[0].From).Round(time.Millisecond), gaps[0].Node)
	}
}

func redisKill(x *trial) {
	from := x.now()
	x.cluster.Redis.Kill()
	x.pause(5 * time.Second)
	x.cluster.Redis.Restart()
	x.pause(5 * time.Second)
	x.connectionsKept(from)
}

// redisKillAgain kills Redis while nodes write down anew what it may have lost, and read what it has for their devices: they
// begin with that when it is back, and take some seconds for it.
func redisKillAgain(x *trial) {
	from := x.now()
	x.cluster.Redis.Kill()
	for _, d := range []time.Duration{50, 150, 400, 800, 1500, 2500} {
		x.pause(time.Second)
		x.cluster.Redis.Restart()
		x.pause(d * time.Millisecond)
		x.cluster.Redis.Kill()
		x.say("Redis was there for %v", d*time.Millisecond)
	}
	x.pause(time.Second)
	x.cluster.Redis.Restart()
	x.pause(8 * time.Second)
	x.connectionsKept(from)
}

func redisStop(x *trial) {
	from := x.now()
	x.cluster.Redis.Pause()
	x.pause(15 * time.Second)
	x.cluster.Redis.Resume()
	x.pause(5 * time.Second)
	x.connectionsKept(from)
}

func etcdKill(x *trial) {
	from := x.now()
	x.cluster.Etcd.Kill()
	x.pause(15 * time.Second)
	x.cluster.Etcd.Restart()
	x.pause(10 * time.Second)
	x.connectionsKept(from)
}

func etcdStop(x *trial) {
	from := x.now()
	x.cluster.Etcd.Pause()
	x.pause(20 * time.Second)
	x.cluster.Etcd.Resume()
	x.pause(10 * time.Second)
	x.connectionsKept(from)
}

func leaseExpiry(x *trial) {
	for _, n := range x.cluster.Nodes {
		leases, err := x.cluster.Expire(n.ID)
		if err != nil {
			x.Fatalf("%v", err)
		}
		if leases == 0 {
			x.Fatalf("%s has no lease", n.ID)
		}
		took := x.await(n.ID+" is registered anew", 20*time.Second, func() error {
			keys, _, err := x.cluster.Keys("/nodes/" + n.ID)
			if err == nil && len(keys) == 0 {
				err = fmt.Errorf("it has no key")
			}
			return err
		})
		x.say("%d leases of %s ended, registered anew after %v", leases, n.ID, took.Round(time.Millisecond))
		x.pause(2 * time.Second)
	}
}

func compaction(x *trial) {
	n := x.cluster.Nodes[0]
	for range 3 {
		n.ToEtcd.Cut()
		if err := x.cluster.Noise(200); err != nil {
			x.Fatalf("%v", err)
		}
		if err := x.cluster.Compact(); err != nil {
			x.Fatalf("%v", err)
		}
		n.ToEtcd.Refuse() // its connections are lost: it has to watch anew from where it was
		x.pause(time.Second)
		n.ToEtcd.Mend()
		x.pause(2 * time.Second)
	}
}

func failover(x *trial) {
	old := x.cluster.Shards.KillMaster(0)
	x.say("a master is dead")
	began := x.now()
	x.cluster.Shards.AwaitMaster(0, old)
	x.number("failover_s", (x.now() - began).Seconds())
	x.say("its replica is the master")
	x.pause(3 * time.Second)
	old.Restart()
	x.cluster.Shards.AwaitOK()
	x.say("it is back as a replica")
}

func sentinels(x *trial) {
	from := x.now()
	old := x.cluster.Sentinels.KillMaster()
	x.say("the master is dead")
	began := x.now()
	x.cluster.Sentinels.AwaitMaster(old)
	x.number("failover_s", (x.now() - began).Seconds())
	x.say("its replica is the master")
	x.pause(3 * time.Second)
	old.Restart() // as the master that it was, until the Sentinels tell it otherwise
	x.cluster.Sentinels.AwaitReplica(old)
	x.say("it is back as a replica")
	x.pause(3 * time.Second)
	x.cluster.Sentinels.Failover()
	x.say("it is the master again, as an operator wants")
	x.pause(5 * time.Second)
	// The Sentinels promote a replica without waiting for it: who has got what that did not is told by a new connection.
	if gaps, streams := len(x.fleet.Gaps(from, x.now())), x.ledger.Account().Streams; gaps > streams {
		x.fault("%d times a device was without a connection, and only %d had to be told of a new stream", gaps, streams)
	}
}
