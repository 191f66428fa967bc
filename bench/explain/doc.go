// Package explain says where the difference between two servers comes from:
// which metrics and phases moved most, and which functions cost more or less CPU.
//
// # Functions
//
// A CPU profile says how a run's CPU is divided, not how much it was; how much a
// delivered message cost is known from outside (server.cpu_per_msg). Their
// product is what a function costs per message, in ns:
//
//	cost = samples of the function / all samples x server.cpu_per_msg
//
// Own is what it costs itself, Whole with everything that it calls. The error of
// a difference is that of counting samples, 1.96 sqrt(nA + nB) in their units: a
// profile of 10 s at one core has 1,000 samples, and a function with 1 % of them
// is known to a third. What is within its error is not shown first, however large
// it looks.
//
// The profiles compared are those of the two runs that are the medians in the
// primary metric, or all of a side together, which makes the error smaller.
package explain
