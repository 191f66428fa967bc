// Package experiment measures servers in turn on one machine, so that what the
// machine does to one it does to the others.
//
// # Order
//
// A round runs every server once, each as a fresh process; every second round
// runs them backwards: A B, B A, A B ... So neighbours in time make a pair, and
// neither server always comes first. With more than two servers each is compared
// with the first one.
//
// A run is: cool down, start the server, wait until it is ready, put the load of
// a scenario on it by cmd/loadgen, stop the server. What loadgen calls INVALID
// is run again at once, at most Retries times, and counted; so is a run that
// somebody interrupted, and one during which other work of the machine took more
// than MaxOther, if that is set. Every other outcome stays, however it looks. The
// first run of each server is to warm up the machine and does not count.
//
// # Folder
//
// Everything is kept in one folder:
//
//	experiment.json    what is measured
//	journal.jsonl      one line for each attempt, in the order of time
//	runs/03-B.json     result of server B in round 3; 03-B.2.json of a second attempt
//	runs/03-B.log      what the server said
//	runs/03-B.pprof    its CPU profile, if one was asked for
//	compare.txt ...    the comparison: txt, md, html, json; with more than two
//	                   servers one for each, and servers.md over all
//
// A run of bench that is ended halfway is taken up where it was: rounds that are
// complete stay, one that is not is begun anew. More pairs can be added later;
// the comparison then says that somebody had looked before, as who looks often
// enough finds something.
package experiment
