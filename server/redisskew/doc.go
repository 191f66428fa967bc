// Package redisskew reads how the slots, keys and memory of a Redis Cluster lie on
// its masters and their zones, as holdings for ring/slots. It asks and changes
// nothing: redis-cli moves slots, by the lines that ring/slots writes.
//
// One node tells who is there (CLUSTER NODES); then each master tells of itself
// (INFO memory, DBSIZE). A master that does not answer within the
// deadline is listed with its slots all the same, with what went wrong.
package redisskew
