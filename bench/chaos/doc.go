// Package chaos hurts a cluster of real processes while messages are published, and
// counts what became of each. It knows roost from outside: its flags, its API, its
// protocol.
//
//	ledger   what publishers were told and devices have handled
//	fleet    devices and publishers
//	rig      etcd, Redis, nodes, and the ways between them
//	chaos    scenarios, what must hold after each, the report
//
// # A trial
//
//	start ─▶ connect ─▶ calm ─▶ publish ─▶ hurt and mend ─▶ calm ─▶ settle ─▶ check
//
// After each scenario, whatever it did:
//
//   - every accepted message was handled by its device, once, and none that was refused;
//   - every message got an answer in the end, and every device is connected;
//   - presence, asked of any node, says of each device what the device says;
//   - all nodes hold the same rings, by hash;
//   - goroutines and descriptors of each node, those of its devices left out, are where
//     they were, or where those of its neighbours are if it was started anew.
//
// # Folder
//
//	report.md                what came out, with command and environment
//	<scenario>/result.json   the same in numbers
//	<scenario>/n1.log ...    what nodes said
package chaos
