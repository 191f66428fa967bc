// Package snapshot writes a ring down: a compact binary form in which every ring
// has exactly one spelling, so that the hash of its bytes names it, and JSON for
// people. docs/RING.md defines both, the codes of refusal and the order in which
// they are told; ring/c reads the binary form too.
package snapshot
