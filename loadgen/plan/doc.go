// Package plan holds the rules of the load generator that are pure: when what
// is due, to whom and how large, which source address a connection uses, when one
// that failed is dialled again, and what kind of error it was. Values in, values
// out; no clock, socket or lock.
package plan
