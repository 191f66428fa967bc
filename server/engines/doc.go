// Package engines runs the servers that roost stands on, etcd and Redis, as
// processes: those of the machine, on free ports of loopback, in folders of their
// owner. They can be killed, stopped and started again on their data. Tests have
// them by server/testetcd and server/testredis, benches of clusters by themselves.
//
//	StartEtcd           one etcd
//	StartRedis          one Redis
//	StartRedisCluster   three masters and three replicas, with slots and links up
//	StartSentinels      a master, a replica and three Sentinels that watch them
//
// # Life of a server
//
//	     Start
//	       |        Pause (SIGSTOP)
//	       v      ------------------>
//	    running                      paused
//	     |   ^    <------------------
//	Kill |   |      Resume (SIGCONT)   | Kill
//	Stop v   | Restart                 v
//	     ended <------------------------
//
// The end of the owner kills its servers, whatever state they are in. A process that
// dies takes them along (PR_SET_PDEATHSIG): nothing is left on the machine.
//
// A machine without one of the programs fails the owner: what was not tried has not
// passed.
//
// Nothing here is for more than one goroutine at a time, and most of it for the owner's
// own: it ends the owner when something fails. Process alone is for anybody.
package engines
