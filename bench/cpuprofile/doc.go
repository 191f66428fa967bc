// Package cpuprofile takes CPU profiles of Go servers and reads them: a file as a
// server's /debug/pprof/profile gives it becomes stacks with their CPU time.
package cpuprofile
