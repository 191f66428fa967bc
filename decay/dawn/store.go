package dawn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LockKey is the mutex of all nights. Its value is LockValue, on a lease of
// LockTTL. That somebody has it says nothing about the night.
const LockKey = "/config/decay/lock"

// DonePrefix is what the keys of all records begin with. A node watches it.
const DonePrefix = "/config/decay/done/"

// DoneKey returns the key of the record of a night.
func DoneKey(d Date) string { return DonePrefix + d.String() }

const (
	// LockTTL is the given life of the lock.
	LockTTL = 600 * time.Second

	// Alive is the given age below which a holder counts as alive, and from which
	// it is taken for dead. The age of a lock is what its lease was granted less
	// what is left of it, both told by the store, so no two clocks are compared.
	// With a TTL of 600 s an age of 300 s is also 300 s left: the given rule
	// counted from that side, and asked for a lock that was there already.
	Alive = 300 * time.Second
)

const lockPrefix = "triggered_by_cron_"

// LockValue returns the value of the lock: triggered_by_cron_YYYYMMDD, as given,
// then the life and the id of the node.
func LockValue(d Date, node string, life uint64) string {
	return fmt.Sprintf("%s%v/%d/%s", lockPrefix, d, life, node)
}

// ParseLockValue reads a LockValue. ok is false if it is none.
func ParseLockValue(s string) (d Date, node string, life uint64, ok bool) {
	rest, found := strings.CutPrefix(s, lockPrefix)
	day, rest, found2 := strings.Cut(rest, "/")
	number, node, found3 := strings.Cut(rest, "/")
	life, err := strconv.ParseUint(number, 10, 64)
	d = ParseDate(day)
	if !found || !found2 || !found3 || err != nil || d == 0 || node == "" {
		return 0, "", 0, false
	}
	return d, node, life, true
}

// recordVersion is the version of the format. A reader refuses a newer one.
const recordVersion = 1

// maxRecord bounds what DecodeRecord reads, in bytes; etcd takes 1.5 MiB.
const maxRecord = 1 << 20

// Errors of DecodeRecord.
var (
	// ErrNewer says that a newer roost has written the record: the night is left
	// to it.
	ErrNewer = errors.New("the record of the night is of a newer version")
	// ErrRecord says that the record is damaged.
	ErrRecord = errors.New("the record of the night cannot be read")
)

// recordJSON and entryJSON are the format, as people read it in the store.
type recordJSON struct {
	Version     int         `json:"version"`
	Date        string      `json:"date"`
	Environment string      `json:"environment"`
	Step        int         `json:"step"`
	Holder      string      `json:"holder"`
	Life        uint64      `json:"life"`
	Fence       int64       `json:"fence"`
	Groups      []Group     `json:"groups"` // each once, however many openings have it
	Openings    []entryJSON `json:"openings"`
}

type entryJSON struct {
	Window    string    `json:"window"`
	Stage     Stage     `json:"stage"`
	Reason    string    `json:"reason,omitempty"`
	Postponed int       `json:"postponed,omitempty"`
	Aborted   bool      `json:"aborted,omitempty"`
	Begin     time.Time `json:"begin"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Shape     Shape     `json:"shape"`
	Floor     float64   `json:"floor"`
	Lead      string    `json:"lead"`
	Recovery  string    `json:"recovery"`
	Group     int       `json:"group"` // index in groups
}

// Encode returns the record as JSON: times in UTC, durations as Go writes them.
// It fails only for a record that DecodeRecord would refuse.
func (r *Record) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := recordJSON{
		Version: recordVersion, Date: r.Date.String(), Environment: r.Environment,
		Step: r.Step, Holder: r.Holder, Life: r.Life, Fence: r.Fence,
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		g := slices.IndexFunc(j.Groups, func(o Group) bool { return o.equal(&e.Nodes) })
		if g < 0 {
			g, j.Groups = len(j.Groups), append(j.Groups, e.Nodes)
		}
		j.Openings = append(j.Openings, e.json(g))
	}
	b, err := json.Marshal(j)
	if err == nil && len(b) > maxRecord {
		err = fmt.Errorf("the record of the night has %d bytes, more than %d", len(b), maxRecord)
	}
	return b, err
}

// DecodeRecord reads what Encode wrote. Its errors are ErrNewer and ErrRecord,
// with details.
func DecodeRecord(b []byte) (Record, error) {
	if len(b) > maxRecord {
		return Record{}, fmt.Errorf("%w: %d bytes are more than %d", ErrRecord, len(b), maxRecord)
	}
	var head struct{ Version int }
	if err := json.Unmarshal(b, &head); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if head.Version < 1 {
		return Record{}, fmt.Errorf("%w: version %d", ErrRecord, head.Version)
	}
	if head.Version > recordVersion {
		return Record{}, fmt.Errorf("%w (%d, this is %d)", ErrNewer, head.Version, recordVersion)
	}
	var j recordJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	r := Record{Date: ParseDate(j.Date), Environment: j.Environment, Step: j.Step, Holder: j.Holder, Life: j.Life, Fence: j.Fence}
	for i := range j.Openings {
		e, err := j.Openings[i].entry(j.Groups)
		if err != nil {
			return Record{}, fmt.Errorf("%w: opening %d: %w", ErrRecord, i, err)
		}
		r.Entries = append(r.Entries, e)
	}
	if err := r.Validate(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return r, nil
}

func (e *Entry) json(group int) entryJSON {
	return entryJSON{
		Window: e.Window, Stage: e.Stage, Reason: e.Reason, Postponed: e.Postponed, Aborted: e.Aborted,
		Begin: e.Begin.UTC(), Start: e.Start.UTC(), End: e.End.UTC(),
		Shape: e.Curve.Shape, Floor: e.Curve.Floor,
		Lead: e.Curve.Lead.String(), Recovery: e.Curve.Recovery.String(), Group: group,
	}
}

func (j *entryJSON) entry(groups []Group) (Entry, error) {
	if j.Group < 0 || j.Group >= len(groups) {
		return Entry{}, fmt.Errorf("there is no group %d", j.Group)
	}
	lead, err := time.ParseDuration(j.Lead)
	if err != nil {
		return Entry{}, err
	}
	recovery, err := time.ParseDuration(j.Recovery)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Opening: Opening{
			Window: j.Window, Nodes: groups[j.Group], Begin: j.Begin, Start: j.Start, End: j.End,
			Curve: Curve{Shape: j.Shape, Floor: j.Floor, Lead: lead, Recovery: recovery},
		},
		Stage: j.Stage, Postponed: j.Postponed, Aborted: j.Aborted, Reason: j.Reason,
	}, nil
}

// plan adds up how many bytes a record may come to have, whatever becomes of its
// openings: times with all their digits, reasons of maxReason.
type plan struct {
	size   int
	groups []*Group
}

// maxReason bounds a reason, in bytes.
const maxReason = 256

var (
	longestTime = time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	longestText = strings.Repeat(`"`, maxReason) // JSON writes two bytes for one
)

func newPlan() *plan {
	r := recordJSON{Version: recordVersion, Date: "20260314", Environment: longestText, Holder: longestText, Step: math.MaxInt, Life: math.MaxUint64, Fence: math.MaxInt64}
	return &plan{size: jsonSize(r)}
}

// add counts an opening, times over.
func (p *plan) add(o *Opening, times int) {
	e := Entry{Opening: *o, Stage: Skipped, Postponed: 100, Aborted: true, Reason: longestText}
	e.Begin, e.Start, e.End = longestTime, longestTime, longestTime
	p.size += times * (jsonSize(e.json(maxEntries)) + 1)
	if !slices.ContainsFunc(p.groups, o.Nodes.equal) {
		p.groups = append(p.groups, &o.Nodes)
		p.size += jsonSize(o.Nodes) + 1
	}
}

// jsonSize is how long v is as JSON, 0 for what cannot be written, which Validate
// refuses for its own reasons.
func jsonSize(v any) int {
	b, _ := json.Marshal(v)
	return len(b)
}
