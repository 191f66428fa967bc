package compare

import (
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Run is one result with the name of its file.
type Run struct {
	File   string
	Result *result.Result
}

// Side is the runs of one server, in the order of time.
type Side struct {
	Label string
	Runs  []Run
}

// Options says how to compare. Zero fields mean their defaults.
type Options struct {
	// Primary is the metric that the verdict hangs on; default
	// server.cpu_to_loadgen or server.cpu_per_msg if every run has it, else delivery.p99, else the first
	// of the secondary ones that every run has.
	Primary string
	// MinEffect is the least |B/A - 1| that counts, of every metric; default 0.05
	// for times, 0.02 for the rest.
	MinEffect float64
	Alpha     float64 // default 0.05
	// Unpaired says that run i of A and run i of B have nothing to do with each
	// other. Sides of different lengths are unpaired anyway.
	Unpaired bool
	// Ignore and Between are patterns (as of path.Match) of facts that may differ:
	// from run to run, or from A to B but not within a side.
	Ignore  []string
	Between []string
	// Notes go to the reader, with those that Compare adds.
	Notes []string
}

// confidence of all intervals.
const confidence = 0.95

// Comparison is the outcome: everything that is shown, and the JSON form.
type Comparison struct {
	Scenario string   `json:"scenario"`
	Paired   bool     `json:"paired"`
	A        SideInfo `json:"a"`
	B        SideInfo `json:"b"`

	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`

	// Facts are those that comparability depends on and that differ;
	// Environment is what else differs between the machines.
	Facts       []Difference `json:"facts,omitempty"`
	Environment []Difference `json:"environment,omitempty"`

	Tested []Row `json:"tested"` // the primary metric, then the secondary ones
	Shown  []Row `json:"shown"`  // all others, without a verdict
	// Floor is A's odd runs against its even ones, of the tested metrics; empty
	// for fewer than 4 runs.
	Floor []Row `json:"floor,omitempty"`

	Latency []Latency `json:"latency,omitempty"`
	Notes   []string  `json:"notes,omitempty"`

	curves []curves // for pictures, by index in Latency
}

// SideInfo is a side without its data.
type SideInfo struct {
	Label  string    `json:"label"`
	Server string    `json:"server,omitempty"` // version, where the runs say it
	Runs   []RunInfo `json:"runs"`
}

// RunInfo is a run without its data.
type RunInfo struct {
	File    string         `json:"file"`
	ID      string         `json:"id"`
	Started time.Time      `json:"started"`
	Verdict result.Verdict `json:"verdict"`
	Failed  []string       `json:"failed,omitempty"` // checks that failed, with their values
}

// Difference is a fact with its value on both sides; a side whose runs differ
// among themselves has all of its values.
type Difference struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// Role is what a metric is there for.
type Role string

// Roles.
const (
	Primary   Role = "primary"
	Secondary Role = "secondary"
	Shown     Role = "shown"
)

// Row is one metric of both sides.
type Row struct {
	Metric string `json:"metric"`
	Base   string `json:"-"`               // Metric without phase and group
	Phase  string `json:"phase,omitempty"` // that it is of alone
	Unit   string `json:"unit"`
	Better string `json:"better,omitempty"`
	Role   Role   `json:"role"`
	// Runs are the values, in order; of paired ones those at the same index are a
	// pair.
	ValuesA []Number `json:"values_a"`
	ValuesB []Number `json:"values_b"`
	Ratios  []Number `json:"ratios,omitempty"` // of pairs
	MedianA Number   `json:"median_a"`
	MedianB Number   `json:"median_b"`
	// Ratio is the median of Ratios, or of unpaired ones the ratio of medians; Lo
	// to Hi has it in it with a chance of Coverage.
	Ratio    Number  `json:"ratio"`
	Lo       Number  `json:"lo"`
	Hi       Number  `json:"hi"`
	Coverage float64 `json:"coverage"`
	P        float64 `json:"p"`
	Holm     float64 `json:"p_corrected"` // what is judged; P of the primary one
	Missing  int     `json:"missing,omitempty"`

	MinEffect float64 `json:"min_effect"`
	Verdict   Verdict `json:"verdict,omitempty"`
	Why       string  `json:"why,omitempty"`
	MorePairs int     `json:"more_pairs,omitempty"` // about as many more would tell; 0: not known
}

// Latency is one histogram of both sides.
type Latency struct {
	Name string      `json:"name"` // delivery, connect ...
	A    Percentiles `json:"a"`
	B    Percentiles `json:"b"`
}

// Percentiles are of all runs of a side merged, in ns, and beside them how the
// runs' own p99 differ: what is merged hides that.
type Percentiles struct {
	Count  uint64 `json:"count"`
	Misses uint64 `json:"misses"`
	P50    Number `json:"p50"`
	P90    Number `json:"p90"`
	P99    Number `json:"p99"`
	P999   Number `json:"p999"`
	Max    Number `json:"max"`
	// Of the runs' p99: the smallest, the median and the largest.
	Runs      int    `json:"runs"`
	P99Least  Number `json:"p99_least"`
	P99Median Number `json:"p99_median"`
	P99Most   Number `json:"p99_most"`
}

// curves are the histograms behind a Latency.
type curves struct {
	a, b         *tally.Hist // merged
	eachA, eachB []*tally.Hist
}
