// Package ring x.
package ring
