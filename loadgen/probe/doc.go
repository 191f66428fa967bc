// Package probe reads what a server's processes use, from outside: by process
// id, by control group, by metrics in Prometheus's text format and by Go's
// pprof. Each gives what the others cannot:
//
//	process id  CPU to the ns, RSS, PSS, descriptors, binary, arguments
//	cgroup      CPU and memory of all processes in it, with its kernel memory
//	            and socket buffers
//	metrics     heap, stacks, goroutines, collections
//	pprof       a collection before memory is read, a CPU profile at the peak
//
// What comes from several is taken from the first of them in this order. A
// server that has ended is an error that says so; nothing here waits longer
// than Config.Timeout.
package probe
