// Package preview says what a change of a ring will do to devices, before it is
// made, and compares that with what it has done. It does no I/O and reads no clock.
//
// # What is exact and what is not
//
// Which part of the ids has another owner is exact: ring.Compare looks at every
// slot. How many devices that is, is exact only if they are spread as ids are. Of a
// node that says how many are connected, as many leave as its slots that move are
// of those that it owns; of a node that says nothing the devices are its share of
// Input.Devices. Who is connected to a node that does not own him is on his way
// already and not in here.
//
// # Limits
//
//	moved      more than 30 % of all ids have another owner
//	node       a node would hold more devices than its capacity
//	zone       a zone would hold more devices than its nodes can together
//	empty      a zone that owned something would own nothing
//	reconnects a node would be connected to faster than it says it can take
//	removed    more than half of the nodes that own something would own nothing
//
// Each is a Violation with a sentence for whoever is about to do it. A node or a
// zone that is above its capacity already violates nothing if the change brings it
// no more.
package preview
