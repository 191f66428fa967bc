// Package bench measures roostd, by itself and beside other servers. It drives
// cmd/loadgen and servers by their binaries and writes reports.
//
// # Map
//
//	bench             what is measured of roostd:
//	  peers*, table     RunPeers: roostd beside the servers of bench/peers
//	  node, publishers  RunNode: memory per device and after load, waiting publishers
//	  kept*             RunKept: kept messages, crashes, recovery
//	  scenarioset       RunScenarios: loadgen's scenarios, each once
//	  generator, server how these run loadgen and nodes, and what they take for a result
//	  profile           whose CPU time a sample is
//	bench/experiment  servers in turn under one load, AB BA; starts servers and
//	                  loadgen for all others (Run, Serve, Generate, Folder)
//	bench/compare     what two sides' results say; bench/stats does the tests
//	bench/explain     where a difference comes from; bench/cpuprofile reads profiles
//	bench/trend       results over time
//	bench/million     a million devices on one machine, on nodes that know nothing of each other
//	bench/chaos       a cluster of processes under faults, and what must hold after each (ledger:
//	                  every message; fleet: devices and publishers; rig: nodes, servers and
//	                  cuttable ways between them); knows flags, API and protocol only
//	bench/couplings   when weights act on the choice of a node
//	bench/rings       changes of the ring, in a planner and in etcd
//	bench/crossnode   publisher to device on another node; the cluster is bench/chaos/rig's
//	bench/decaysim    decay in virtual time
//	bench/chart       pictures for reports
//	bench/peers, bench/ringpeers  modules of their own, with what is compared
//
// # Peers
//
// RunPeers puts the same loads (scenarios/*.yaml) on each server of bench/peers
// and on roostd. Each load is an experiment of its own (package experiment): a
// round runs every server once, as a fresh process, every second round backwards.
// The machine changes its speed by up to 30 % for minutes, so what is compared is
// the ratio to the C floor in the same round; the table has the median of the
// rounds with the smallest and the largest. A run that is INVALID, or during
// which other work took more than maxOther of a core, is repeated; if it stays so
// it does not count.
//
// # One node
//
// RunNode measures memory and waiting publishers by scenarios of loadgen run;
// RunKept measures kept messages: CPU per push by part, broadcasts with
// acknowledgements beside live ones, recovery after a crash, memory. Both write
// what there is when they are ended early (section.go).
package bench
