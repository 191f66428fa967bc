package testredis

import (
	"testing"

	"roost/server/engines"
)

// Shape of a Cluster, and the name of the master that Sentinels watch.
const (
	Masters   = engines.Masters
	Replicas  = engines.Replicas
	Slots     = engines.Slots
	MasterSet = engines.MasterSet
)

// What there is of servers. A ReplyError is an error that Redis answered with.
type (
	Server     = engines.Redis
	Cluster    = engines.RedisCluster
	Sentinels  = engines.Sentinels
	ReplyError = engines.ReplyError
)

// Start runs one server until the test ends. It holds nothing on disk; args are
// added to its command line and override that.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return engines.StartRedis(tb, args...)
}

// StartCluster runs three masters with a replica each until the test ends.
func StartCluster(tb testing.TB, args ...string) *Cluster {
	tb.Helper()
	return engines.StartRedisCluster(tb, args...)
}

// StartSteadyCluster is StartCluster for tests that kill no node: one that has had no processor for a second is not
// taken for dead. With 1 s a busy machine had failovers in tests of something else.
func StartSteadyCluster(tb testing.TB, args ...string) *Cluster {
	tb.Helper()
	c := StartCluster(tb, args...)
	for _, s := range c.Nodes() {
		s.Text("CONFIG", "SET", "cluster-node-timeout", "15000") // once it is up: nodes tell each other twice in that time
	}
	return c
}

// StartSentinels runs a master, a replica and three Sentinels until the test ends.
func StartSentinels(tb testing.TB, args ...string) *Sentinels {
	tb.Helper()
	return engines.StartSentinels(tb, args...)
}

// Await looks again and again until ok holds, and ends the test when it does not
// within 30 s.
func Await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	engines.Await(tb, what, ok)
}
