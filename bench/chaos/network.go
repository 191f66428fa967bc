package chaos

import (
	"time"

	"roost/bench/chaos/rig"
)

// networkScenarios cut ways between processes.
var networkScenarios = []Scenario{
	{Name: "node-cut-from-redis", About: "a node hears nothing of Redis for 30 s while the others do, then is refused for 5 s",
		Rig: rig.Options{Links: true}, Hurt: cutFromRedis},
	{Name: "node-cut-from-etcd", About: "a node hears nothing of etcd for 30 s while the others do, then is refused for 5 s",
		Rig: rig.Options{Links: true}, Hurt: cutFromEtcd},
}

func cutFromRedis(x *trial) { x.cut(x.cluster.Nodes[0].ToRedis) }

func cutFromEtcd(x *trial) { x.cut(x.cluster.Nodes[0].ToEtcd) }

// cut holds a way up for 30 s, and a while later refuses it for 5.
func (x *trial) cut(way *rig.Link) {
	way.Cut()
	x.say("cut")
	x.pause(30 * time.Second)
	x.say("mended: %s", x.spread())
	way.Mend()
	x.pause(10 * time.Second)
	way.Refuse()
	x.say("refused: %s", x.spread())
	x.pause(5 * time.Second)
	way.Mend()
	x.pause(10 * time.Second)
	x.say("mended: %s", x.spread())
}
