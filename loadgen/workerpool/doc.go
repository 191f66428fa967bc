// Package workerpool is the workers of a run as their coordinator sees them: it starts
// those of this machine, lets in those of others, hears what they say and ends
// them. What is to be done is not its affair.
//
// A member is one of three:
//
//	in this process   a goroutine, over link.Pair
//	a child           a process of its own, over a socket that it inherits; it
//	                  dies with this process, and ends when the socket does
//	a remote worker   joined over TCP, after it has proven to know the token
//
// # Goroutines
//
// Each member has a reader, which puts what it says on Pool.Events, and a
// writer, so that one that does not listen holds up nobody. Children have a
// third that starts them, waits for them, and keeps its thread meanwhile: a
// child is told of its parent's death when the thread ends that made it.
package workerpool
