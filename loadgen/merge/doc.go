// Package merge makes one account of many workers': fan-outs of which each
// worker saw a part, the course of a storm, points of the series. What adds up
// by itself is added by package tally. Values in, values out.
package merge
