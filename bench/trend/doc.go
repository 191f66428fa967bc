// Package trend shows how metrics change over a folder of results, and where
// they jump.
//
// A history is a folder of result files, append-only: Add puts one into it under
// a name that begins with its time, and never replaces one. Results of the same
// scenario, comparability and server are one series; when one of these changes, a
// new series begins, since what came before is no measure for it. Runs that are
// not valid are counted and left out.
//
// Steps are found by stats.Steps: the test of Pettitt with p by permutation, in
// binary segmentation, at 0.01 for each split; a step is at least the minimum
// effect (5 % for times, 2 % for the rest) and is seen once there are 4 runs
// behind it. So a history finds what each single comparison is too short for, and
// is too slow to stop a bad change at the door: that is what package compare is
// for.
package trend
