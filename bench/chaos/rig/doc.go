// Package rig is a cluster of roost to be hurt: etcd, Redis and nodes, each a process
// of its own, with whatever may stand between them, and eyes to see what became of
// it. Servers and nodes end with their owner (engines.Owner); their logs stay in its
// folder.
//
//	    etcd                      Redis, or six of a Redis Cluster
//	     │                          │
//	[Link: cut, refused]       [Link: cut, refused]       where Options.Links says so
//	     │                          │
//	     ╰─────────── node ─────────╯      killed, stopped, continued, restarted
//	                   │
//	           devices, publishers
//
// What is asked of etcd goes over its HTTP gateway (etcd.go), so that nothing but
// server/cluster needs etcd's client; it is asked past the links.
package rig
