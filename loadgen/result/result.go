// Package result is the file that a run leaves: everything that was found out,
// with what it depends on. One run, one file, JSON; docs/RESULT.md describes
// it. It also flattens a result into named metrics, which thresholds,
// comparisons and exports use, and exports it to other tools' formats.
package result

import (
	"time"

	"roost/loadgen/tally"
)

// Schema is the version of the file. It changes when a field changes its
// meaning or goes.
const Schema = 2

// Verdict is what a run is worth.
type Verdict string

// Verdicts.
const (
	Valid       Verdict = "valid"
	Invalid     Verdict = "INVALID"     // the generator was the limit, or the clock wrong, or a worker lost: no result
	Breached    Verdict = "breached"    // valid, and a threshold does not hold
	Interrupted Verdict = "interrupted" // somebody ended it
)

// Result is one run.
type Result struct {
	Schema   int               `json:"schema"`
	ID       string            `json:"id"` // random
	Tool     Tool              `json:"tool"`
	Started  time.Time         `json:"started"`
	Ended    time.Time         `json:"ended"`
	Argv     []string          `json:"argv"`
	Labels   map[string]string `json:"labels,omitempty"` // free: commit of the server, reason
	Scenario Scenario          `json:"scenario"`

	Comparability Comparability `json:"comparability"`
	Environment   Environment   `json:"environment"`

	Verdict    Verdict     `json:"verdict"`
	Validity   []Check     `json:"validity"`
	Thresholds []Threshold `json:"thresholds,omitempty"`

	Phases  []Phase  `json:"phases"`
	Series  []Point  `json:"series"`
	Workers []Worker `json:"workers"`
	Servers []Server `json:"servers,omitempty"`
	Clock   Clock    `json:"clock"`
	Notes   []string `json:"notes,omitempty"` // what a reader should know
}

// Tool is what made the file.
type Tool struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

// Scenario is what was run, complete.
type Scenario struct {
	Name   string `json:"name"`
	Text   string `json:"text"` // resolved YAML: every default written out
	SHA256 string `json:"sha256"`
	Seed   uint64 `json:"seed"`
	// Groups name those of every phase's Tally, by index.
	Groups []Group `json:"groups"`
}

// Group is a part of the clients that are alike.
type Group struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // of the clients, 0 to 1
	// Reads says that the group reads at once and answers pings. What others
	// miss is their own doing: metrics of deliveries without a group leave
	// them out.
	Reads bool `json:"reads"`
}

// Comparability says which results may be compared: those of the same hash. It
// is over Facts; the version under test is not among them.
type Comparability struct {
	Hash  string `json:"hash"`
	Facts []Fact `json:"facts"`
}

// Fact is one thing that a comparison depends on.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Environment is the machine, at the start and what changed during the run.
type Environment struct {
	Host   []Fact `json:"host"`   // CPU, memory, kernel, clock source, mitigations, limits, Go ...
	Sysctl []Fact `json:"sysctl"` // those that matter to sockets
	Before []Fact `json:"before"` // load, pressure, busy processes
	During []Fact `json:"during"` // the same over the run; other work in cores, steal
}

// Check is one condition of validity.
type Check struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`  // ns, share, 1, cores, ...
	Least bool    `json:"least"` // Value must be at least Limit; else at most
	State string  `json:"state"` // pass, fail, unknown (could not be read; Text says why) or advice
	Text  string  `json:"text"`  // what it means, and what to do
}

// Threshold is one condition of the user's.
type Threshold struct {
	Text    string  `json:"text"` // as written
	Value   float64 `json:"value"`
	State   string  `json:"state"` // pass, fail or unknown (no such metric: Reason)
	Reason  string  `json:"reason,omitempty"`
	Aborted bool    `json:"aborted,omitempty"` // the run was ended because of it
}

// Phase is what happened in one phase.
type Phase struct {
	Name    string        `json:"name"`
	Warmup  bool          `json:"warmup,omitempty"`
	Start   time.Duration `json:"start"` // since the run's start
	Length  time.Duration `json:"length"`
	Outcome string        `json:"outcome"` // done, timeout, aborted
	// PlannedDials are those that were due up to the end, over all workers; 0 where
	// none were.
	PlannedDials uint64       `json:"planned_dials"`
	Tally        *tally.Tally `json:"tally"`            // its sums; Rounds are merged into histograms
	Errors       []ErrorLine  `json:"errors,omitempty"` // Tally.Errors, with advice
	Storm        *Storm       `json:"storm,omitempty"`
	// Connected is how many were ready at the end.
	Connected int `json:"connected"`
	// Servers holds, by index in Result.Servers, what each used in the phase.
	Servers []ServerUse `json:"servers,omitempty"`
	Workers WorkerUse   `json:"workers"`
}

// ErrorLine is a class of errors, worded.
type ErrorLine struct {
	Stage  string `json:"stage"`
	Class  string `json:"class"` // errno name, HTTP status, close code, timeout ...
	Text   string `json:"text"`
	Count  uint64 `json:"count"`
	Advice string `json:"advice,omitempty"`
}

// Storm is how the connections came back.
type Storm struct {
	Cut      uint64 `json:"cut"`      // connections that the storm ended, however they come back
	Restored uint64 `json:"restored"` // of Cut, ready again: no others that came back meanwhile
	// T50 to T100 are from the storm's begin until so many of Cut were ready
	// again; -1 if they never were.
	T50              time.Duration `json:"t50"`
	T90              time.Duration `json:"t90"`
	T99              time.Duration `json:"t99"`
	T100             time.Duration `json:"t100"`
	DialsPerRestored float64       `json:"dials_per_restored"` // dials of those of Cut
	PeakDials        uint64        `json:"peak_dials_per_second"`
	ResumedShare     float64       `json:"resumed_share"` // of Restored
	Gap              uint64        `json:"gap"`           // messages x subscribers lost in between
}

// Point is one interval of the series; rates are a second.
type Point struct {
	At            time.Duration `json:"at"` // its end, since the run's start
	Phase         int           `json:"phase"`
	Connected     int           `json:"connected"`
	DialRate      float64       `json:"dials"`
	ReadyRate     float64       `json:"ready"`
	SentRate      float64       `json:"sent"`
	DeliveredRate float64       `json:"delivered"`
	ErrorRate     float64       `json:"errors"`
	P50           int64         `json:"p50"` // of deliveries, from due, ns; 0: none
	P99           int64         `json:"p99"`
	Max           int64         `json:"max"`
	SendLagP99    int64         `json:"send_lag_p99"`
	WorkerCPU     float64       `json:"worker_cores"`
	ServerCPU     float64       `json:"server_cores"`
	ServerRSS     int64         `json:"server_rss"`
}

// Worker is one process of the generator.
type Worker struct {
	Index   int     `json:"index"`
	Host    string  `json:"host"`
	PID     int     `json:"pid"`
	Clients int     `json:"clients"`
	Lost    string  `json:"lost,omitempty"` // why it was lost
	CPU     float64 `json:"cpu_seconds"`
	PeakRSS int64   `json:"peak_rss"`
	// UserPerConn is user memory per connection in bytes: the slope of RSS over
	// the numbers of connections at ticks while they rose, where there are at
	// least three that span half of the most; else (RSS at the most - RSS before
	// the first) / connections, which has what a worker grows by anyway. 0: not
	// known.
	UserPerConn float64 `json:"user_bytes_per_connection"`
}

// WorkerUse is what all workers used in a phase.
type WorkerUse struct {
	Cores    float64 `json:"cores"`
	RunDelay float64 `json:"run_delay"` // share of time
	RSS      int64   `json:"rss"`       // at the end, sum
}

// Server is one probed process of the server.
type Server struct {
	Name    string   `json:"name"`
	PID     int      `json:"pid,omitempty"`
	Source  string   `json:"source"` // pid, cgroup, metrics
	Binary  string   `json:"binary,omitempty"`
	SHA256  string   `json:"sha256,omitempty"`
	Version string   `json:"version,omitempty"` // Go build information
	Argv    []string `json:"argv,omitempty"`
	Env     []Fact   `json:"env,omitempty"` // GOGC, GOMEMLIMIT, GOMAXPROCS
	// Before holds the levels before the first connection; nil: not read. The
	// sums in it are 0.
	Before *ServerUse `json:"before,omitempty"`
	// Slope is bytes of this server per connection of the run, over the counts
	// that were seen (at least three) while they rose, by kind: heap, stacks, rss,
	// pss, slab, sock.
	Slope   map[string]float64 `json:"bytes_per_connection_slope,omitempty"`
	Profile string             `json:"profile,omitempty"` // file beside the result: CPU at the peak
}

// ServerUse is what a server used in a phase: sums over it, and levels at its
// end. Missing values are -1 for levels and 0 for sums.
type ServerUse struct {
	CPU        time.Duration `json:"cpu"`
	User       time.Duration `json:"user"`
	System     time.Duration `json:"system"`
	Softirq    time.Duration `json:"softirq"` // ksoftirqd, the whole machine
	RSS        int64         `json:"rss"`
	PSS        int64         `json:"pss"`
	Heap       int64         `json:"heap"` // live
	Stacks     int64         `json:"stacks"`
	Slab       int64         `json:"slab"` // kernel sockets, both ends, the whole machine or the cgroup
	Sock       int64         `json:"sock"` // socket buffers
	Files      int           `json:"files"`
	Goroutines int           `json:"goroutines"`
	GCs        int           `json:"gcs"`
	GCPauseMax time.Duration `json:"gc_pause_max"`
	// Moved says that the process is another one than that of Server.Before, as
	// after a restart: levels of the two are not compared.
	Moved  bool   `json:"moved,omitempty"`
	Steady string `json:"steady,omitempty"` // whether p50, CPU and heap had a trend
}

// Clock is how times of different processes compare.
type Clock struct {
	Method string        `json:"method"`
	Source string        `json:"source"` // clocksource of the kernel
	Bound  time.Duration `json:"bound"`  // no difference of two processes' clocks is larger
}
