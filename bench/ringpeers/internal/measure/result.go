package measure

import (
	"math"
	"time"

	"roost/bench/ringpeers/internal/subject"
	"roost/bench/ringpeers/internal/timing"
)

// Schema is the version of Result's form.
const Schema = 1

// Result is a run: raw.json.
type Result struct {
	Schema    int           `json:"schema"`
	Command   []string      `json:"command"`
	Options   Options       `json:"options"`
	Env       Env           `json:"env"`
	Subjects  []SubjectInfo `json:"subjects"`
	Lookups   []LookupRow   `json:"lookups"`
	Times     []TimeRow     `json:"times"`
	Memory    []MemoryRow   `json:"memory"`
	Balance   []BalanceRow  `json:"balance"`
	Reweights []ReweightRow `json:"reweights"`
	Notes     []string      `json:"notes"` // what was left out, and why
}

// Env is where and when it ran.
type Env struct {
	Began     time.Time `json:"began"`
	Took      string    `json:"took"`
	CPU       string    `json:"cpu"`
	Cores     int       `json:"cores"` // that the process may use
	Caches    string    `json:"caches"`
	Kernel    string    `json:"kernel"`
	Go        string    `json:"go"`
	GOAMD64   string    `json:"goamd64"`
	Commit    string    `json:"commit"`
	LoadBegan string    `json:"load_began"` // over 1, 5 and 15 minutes
	LoadEnded string    `json:"load_ended"`
}

// SubjectInfo says who a subject is.
type SubjectInfo struct {
	Name    string `json:"name"`
	Module  string `json:"module,omitempty"`
	Version string `json:"version,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Mode is how lookups follow each other.
type Mode string

// Modes of lookups.
const (
	ModeOne   Mode = "one thread"
	ModeChain Mode = "dependent"
	ModeTwo   Mode = "two threads"
)

// LookupRow is a lane in one mode.
type LookupRow struct {
	Nodes  int              `json:"nodes"`
	Lane   string           `json:"lane"`
	Kind   subject.Kind     `json:"kind"`
	Points int              `json:"points"` // a node; 0 where there are none
	Mode   Mode             `json:"mode"`
	Ops    int              `json:"ops"`              // lookups in a window
	Rounds []timing.Windows `json:"rounds"`           // ns a lookup, each window that was kept
	Allocs *float64         `json:"allocs,omitempty"` // a lookup; once, where there is one thread
}

// What a TimeRow times.
const (
	TimeBuild  = "build"
	TimeChange = "change"
)

// FloorCopy is the subject in Times that copies a table of the size that roost's
// ring has: the least that a change must do which leaves the old one as it is.
const FloorCopy = "floor: copy of the table"

// TimeRow is a subject's builds or changes.
type TimeRow struct {
	Nodes     int               `json:"nodes"`
	Subject   string            `json:"subject"`
	What      string            `json:"what"`
	Rounds    [][]timing.Single `json:"rounds"`
	Allocated uint64            `json:"allocated"` // bytes, once
}

// MemoryRow is what a built ring keeps.
type MemoryRow struct {
	Nodes   int    `json:"nodes"`
	Subject string `json:"subject"`
	Heap    uint64 `json:"heap"`          // bytes; names of nodes not counted
	Hot     int    `json:"hot,omitempty"` // bytes that lookups touch, for roost
}

// BalanceRow is how a subject spreads keys, and what changes move.
type BalanceRow struct {
	Nodes    int                 `json:"nodes"`
	Subject  string              `json:"subject"`
	Keys     int                 `json:"keys"`
	MaxAvg   float64             `json:"max_avg"`             // the most keys of a node, over the mean
	Std      float64             `json:"std"`                 // standard deviation, over the mean
	TableMax float64             `json:"table_max,omitempty"` // the largest exact share over its target, for roost
	Moves    map[string]MoveFact `json:"moves"`               // by what is done to a node
}

// What is done to a node in BalanceRow.Moves.
const (
	MoveRemove = "remove"
	MoveAdd    = "add"
	MoveUp     = "+10 %"
	MoveDown   = "-10 %"
)

// MoveFact is what a change moves, as shares of all keys; means over Nodes
// changes of different nodes.
type MoveFact struct {
	Moved      float64 `json:"moved"`
	Collateral float64 `json:"collateral"` // between two nodes that have not changed
	Ideal      float64 `json:"ideal"`      // what must move
	Nodes      int     `json:"nodes"`
}

// ReweightRow is what it moves to change the weight of each node in turn, in
// roost's ring, counted over the whole table.
type ReweightRow struct {
	Nodes      int     `json:"nodes"`
	Points     int     `json:"points"` // a node
	Factor     float64 `json:"factor"`
	Ideal      float64 `json:"ideal"`      // slots that should move for each
	Moved      []int   `json:"moved"`      // slots that have, by node
	Collateral int     `json:"collateral"` // slots between two other nodes, all changes together
	Unlike     int     `json:"unlike"`     // changes after which the moved slots are not the change of the node's share
}

// MeanOff returns by what part the mean of what was moved differs from the ideal.
func (r *ReweightRow) MeanOff() float64 {
	sum := 0
	for _, m := range r.Moved {
		sum += m
	}
	return float64(sum)/float64(len(r.Moved))/r.Ideal - 1
}

// WorstOff returns the largest part by which one node's move differs from the
// ideal, to either side.
func (r *ReweightRow) WorstOff() float64 {
	worst := 0.0
	for _, m := range r.Moved {
		worst = max(worst, math.Abs(float64(m)/r.Ideal-1))
	}
	return worst
}
