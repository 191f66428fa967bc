// Package plan holds the rules of the load generator that are pure: when what
// is due, which source address a connection uses, which messages have arrived,
// and whether a run says something about the server or only about the
// generator. Values in, values out; no clock, socket or lock.
package plan
