// Package subject puts roost's ring, its peers and the floor behind one
// interface, so that they can be measured in turns.
//
// A subject's loops are written out for each of them instead of once over an
// interface: a lookup is then called as a program would call it, and no closure
// (about 1 ns) is in its time. What differs between two loops is the lookup.
//
// Nobody's hash is replaced where the library brings one; those that want one
// (rendezvous, jump) get XXH3. An answer is what the library answers: an index,
// a name, an entry. Where a program needs more of roost's (the node's name), a
// lane of its own says what that costs.
package subject
