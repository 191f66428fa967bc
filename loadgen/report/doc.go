// Package report shows the result of a run to people: Text in a terminal, HTML
// as one page without anything from outside. Both say first what the run is
// worth, and where it is worth nothing they say so wherever its numbers are.
package report
