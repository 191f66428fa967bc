// Package testredis runs real Redis servers for tests: the redis-server of the
// machine, as processes of the test, on free ports of loopback, in folders that the
// test removes. They can be killed, stopped and started again on their data.
//
//	Start           one server
//	StartCluster    three masters and three replicas, with slots and links up
//	StartSentinels  a master, a replica and three Sentinels that watch them
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
// The end of a test kills its servers, whatever state they are in. A test process that
// dies takes them along (PR_SET_PDEATHSIG): nothing is left on the machine.
//
// A machine without redis-server fails the test: what was not tried has not passed.
//
// Nothing here is for more than one goroutine at a time, and most of it for the test's
// own: it ends the test when something fails.
package testredis
