// Package fleet is both sides of a cluster that is being hurt: devices, each by the
// reference client with its reconnect policy, and publishers that repeat until they
// are answered. What they do and see is in a ledger; when each device was connected,
// where, and how often somebody dialed is kept here.
//
// Devices know one address, Home, as they would know a name in DNS: a Balancer
// stands there and connects to a node that is healthy, as HAProxy does with
// `option redispatch`, `check inter 500ms fall 2` and `timeout check 2s`. Where a node sends them, they go
// by themselves.
//
// A device has goroutines of its own, unlike in roost: this is the load, 5,000 of
// them cost 250 MB, and it is the client that people are given.
package fleet
