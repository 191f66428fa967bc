// Package testetcd gives tests a real etcd: server/engines with a test as its owner,
// see there. The end of a test kills it, and a machine without etcd fails the test.
package testetcd
