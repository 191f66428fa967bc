// Package doctor says what the load generator is worth on a machine: what its
// clock costs, how late it wakes, what it adds to a latency by itself, what it
// can do at most, how many connections the machine has room for, and what a
// connection costs a worker. Where a figure is not as it should be, it says what
// mends it.
package doctor
