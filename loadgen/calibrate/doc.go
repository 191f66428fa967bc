// Package calibrate finds out whether the load generator tells the truth: it
// runs scenarios, with real workers and a real coordinator, against a server of
// known behaviour (package faultserver) in a process of its own, and compares what
// the result says with what the server did. What can be counted must be the
// same to the message; what is a time may be off by a bound that is stated with
// it.
//
// It also finds out what the generator can do at most on a machine, against a
// server that does nothing else: its ceiling. A run that plans more than half of
// that is about the generator.
//
// # Times
//
// The floor is the median latency against a server without faults. The server
// says how long its delays were in fact, so that what is judged is the
// generator alone. A time that is off is measured again, twice at most: on a
// machine that is shared, a neighbour is the likelier reason. Counts get one
// try.
package calibrate
