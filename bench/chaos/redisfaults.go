package chaos

import (
	"fmt"
	"strings"
	"time"

	"roost/bench/chaos/rig"
	"roost/server/engines"
)

// redisScenarios are what Redis, or whoever operates it, does beside dying.
var redisScenarios = []Scenario{
	{Name: "redis-stop-short", About: "Redis is stopped (SIGSTOP) for 5 s and again for 30 s, and paused for its clients for 10 s (CLIENT PAUSE)", Hurt: redisStops},
	{Name: "redis-flush", About: "Redis loses everything without being away (FLUSHALL), three times", Streams: true, Hurt: redisFlush},
	{Name: "redis-restart-empty", About: "Redis is killed and comes back with nothing", Streams: true, Hurt: redisEmpty},
	{Name: "redis-clients-killed", About: "Redis hangs up on all its clients, subscribers and others, every second for 15 s", Hurt: redisClients},
	{Name: "redis-output-limit", About: "Redis hangs up on subscribers for whom 32 KiB wait, while a node is stopped for 3 s at a time", Rate: 2000, Hurt: redisOutput},
	{Name: "redis-scripts-flushed", About: "Redis forgets all scripts every 100 ms for 15 s (SCRIPT FLUSH)", Hurt: redisScripts},
	{Name: "redis-read-only", About: "Redis becomes a replica, answers READONLY for 10 s, and is a master again", Hurt: redisReadOnly},
	{Name: "redis-exchanged", About: "another cluster's data are in Redis for 10 s: nothing may be accepted, and all goes on afterwards", Hurt: redisExchanged},
	{Name: "redis-slots-move", About: "slots of a Redis Cluster move to another master while messages are published", Rig: rig.Options{RedisCluster: true}, Hurt: redisSlots},
}

func redisStops(x *trial) {
	from := x.now()
	for _, d := range []time.Duration{5 * time.Second, 30 * time.Second} {
		x.cluster.Redis.Pause()
		x.pause(d)
		x.cluster.Redis.Resume()
		x.say("stopped for %v", d)
		x.pause(5 * time.Second)
	}
	x.cluster.Redis.Text("CLIENT", "PAUSE", "10000", "ALL")
	x.say("paused for its clients")
	x.pause(15 * time.Second)
	x.connectionsKept(from)
}

// flushedIn is within what each device has a new stream after Redis has lost all of it.
const flushedIn = 3 * time.Second

func redisFlush(x *trial) {
	for i := range 3 {
		x.cluster.Redis.Text("FLUSHALL")
		took := x.await("messages are accepted for all devices", 30*time.Second, x.known)
		x.number(fmt.Sprintf("known_again_s_%d", i+1), took.Seconds())
		if took > flushedIn {
			x.miss("devices are known again %v after a flush, to reach: %v", took.Round(time.Millisecond), flushedIn)
		}
		x.pause(5 * time.Second)
	}
}

// known reports whether Redis knows all devices that are connected: it has who they are, and streams for their messages.
func (x *trial) known() error {
	ask := []string{"EVAL", `local n = 0
for _, d in ipairs(ARGV) do
  if redis.call('HGET', 'presence:{' .. d .. '}', 'x') == '1' and redis.call('EXISTS', 'roost:inbox:{' .. d .. '}:h') == 1 then n = n + 1 end
end
return n`, "0"}
	for i := range x.fleet.Len() {
		ask = append(ask, x.fleet.Name(i))
	}
	if n := x.cluster.Redis.Text(ask...); n != fmt.Sprint(x.fleet.Len()) {
		return fmt.Errorf("%s of %d are known to Redis", n, x.fleet.Len())
	}
	return nil
}

func redisEmpty(x *trial) {
	// Nothing is written down from here on, and what was is forgotten.
	x.cluster.Redis.Text("FLUSHALL")
	x.cluster.Redis.Kill()
	x.pause(3 * time.Second)
	x.cluster.Redis.Restart()
	took := x.await("messages are accepted for all devices", 30*time.Second, x.known)
	x.number("known_again_s", took.Seconds())
	x.pause(5 * time.Second)
}

// every calls f each so often, so many times.
func (x *trial) every(d time.Duration, n int, f func()) {
	for range n {
		f()
		x.pause(d)
	}
}

func redisClients(x *trial) {
	from := x.now()
	x.every(time.Second, 15, func() {
		for _, kind := range []string{"pubsub", "normal"} {
			x.cluster.Redis.Text("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
		}
	})
	x.connectionsKept(from)
}

// What redisOutput sends: two sockets between two processes of a machine take several MB before Redis has to keep anything itself.
const (
	junk      = 1 << 20
	junkTimes = 24
)

func redisOutput(x *trial) {
	x.cluster.Redis.Text("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32kb 32kb 1")
	n := x.cluster.Nodes[0]
	hungUp := 0
	x.every(2*time.Second, 3, func() {
		before := x.subscribers()
		n.Pause()
		// What no envelope is, to all that listen: the other nodes read it and go on.
		for range junkTimes {
			for channel := range strings.FieldsSeq(strings.Trim(x.cluster.Redis.Text("PUBSUB", "CHANNELS"), "[]")) {
				x.cluster.Redis.Text("PUBLISH", channel, strings.Repeat("x", junk))
			}
		}
		x.pause(3 * time.Second)
		after := x.subscribers()
		for id := range before {
			if !after[id] {
				hungUp++
			}
		}
		n.Resume()
	})
	x.cluster.Redis.Text("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")
	x.number("subscribers_hung_up", float64(hungUp))
	if hungUp == 0 {
		x.miss("Redis has hung up on no subscriber: the fault was none")
	}
}

// subscribers returns the ids that Redis gives to those who listen.
func (x *trial) subscribers() map[string]bool {
	ids := map[string]bool{}
	for line := range strings.Lines(x.cluster.Redis.Text("CLIENT", "LIST", "TYPE", "pubsub")) {
		id, _, _ := strings.Cut(line, " ")
		ids[id] = true
	}
	return ids
}

func redisScripts(x *trial) {
	from := x.now()
	x.every(100*time.Millisecond, 150, func() { x.cluster.Redis.Text("SCRIPT", "FLUSH") })
	x.connectionsKept(from)
}

func redisReadOnly(x *trial) {
	from := x.now()
	// Of nobody: it keeps its data, and refuses writes.
	x.cluster.Redis.Text("REPLICAOF", "127.0.0.1", "1")
	x.pause(10 * time.Second)
	x.cluster.Redis.Text("REPLICAOF", "NO", "ONE")
	x.pause(5 * time.Second)
	x.connectionsKept(from)
}

func redisExchanged(x *trial) {
	from := x.now()
	mark := x.cluster.Redis.Text("GET", "roost:data")
	x.cluster.Redis.Text("SET", "roost:data", "ANOTHER")
	x.pause(3 * time.Second) // a look each second
	before := x.ledger.Account()
	x.pause(7 * time.Second)
	if after := x.ledger.Account(); after.Accepted > before.Accepted {
		x.fault("%d messages were accepted by another cluster's Redis", after.Accepted-before.Accepted)
	}
	x.cluster.Redis.Text("SET", "roost:data", mark)
	x.pause(5 * time.Second)
	x.connectionsKept(from)
}

// redisSlots moves 200 slots, 20 a second at most. Not the first: by that a master is known.
func redisSlots(x *trial) {
	keys := 0
	for slot := 1; slot <= 200; slot++ {
		x.await(fmt.Sprintf("slot %d has moved", slot), 30*time.Second, func() error {
			n, err := x.moveSlot(fmt.Sprint(slot))
			keys += n
			return err
		})
		if slot%20 == 0 {
			x.pause(time.Second)
		}
	}
	x.say("200 slots with %d keys have moved", keys)
	x.pause(5 * time.Second)
}

// moveSlot moves a slot of the first master to the second, as redis-cli does: importing, migrating,
// its keys, then the owner. It may be called again after an error: on a machine that is busy
// a master may be another one by then.
func (x *trial) moveSlot(slot string) (keys int, err error) {
	from, to := x.cluster.Shards.Master(0), x.cluster.Shards.Master(1)
	do := func(s *engines.Redis, args ...string) (v any) {
		if err == nil {
			if v, err = s.Do(args...); err != nil {
				err = fmt.Errorf("%s at %s: %w", strings.Join(args[:2], " "), s.Addr(), err)
			}
		}
		return v
	}
	source, target := fmt.Sprint(do(from, "CLUSTER", "MYID")), fmt.Sprint(do(to, "CLUSTER", "MYID"))
	do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source)
	do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", target)
	host, port, _ := strings.Cut(to.Addr(), ":")
	for err == nil {
		names, _ := do(from, "CLUSTER", "GETKEYSINSLOT", slot, "10").([]any)
		if len(names) == 0 {
			break
		}
		args := []string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}
		for _, n := range names {
			args = append(args, fmt.Sprint(n))
		}
		do(from, args...)
		keys += len(names)
	}
	do(to, "CLUSTER", "SETSLOT", slot, "NODE", target)
	do(from, "CLUSTER", "SETSLOT", slot, "NODE", target)
	return keys, err
}
