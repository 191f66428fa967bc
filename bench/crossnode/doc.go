// Package crossnode measures messages from a publisher to a device on another node.
//
// It starts etcd, Redis and two nodes. All devices are connected to node B, and are
// B's by the ring; each load is published twice:
//
//	any    every request goes to node A: stored in Redis, a notice over the bus to B
//	ring   server/publisher routes itself: every request goes to B
//
// Devices and publisher are one process, so one clock times both ends: from when a
// message was due, whatever held its request up, until the device's client has it.
//
//	setup    the cluster, and who is whose
//	devices  the clients, and what they got; device is one of them
//	load     one load: paced, counted, awaited
//	stages   what a node's own histograms say of a publish
//	Run      all loads, as a report and results.json
package crossnode
