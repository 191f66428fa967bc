// Package testetcd starts etcd as a process of its own for tests: on free loopback
// ports, with its data in the test's temporary directory. It can be killed,
// started again on the same data or on none, and stopped and continued by signal.
// What is built does not import it.
//
// A test that needs etcd fails where there is none: see Start.
package testetcd
