package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"roost/loadgen/result"
)

// Kinds of entries of the journal.
const (
	kindWarmup = "warm-up" // a run that does not count
	kindRun    = "run"     // an attempt
	kindRound  = "round"   // a round is complete
	kindLook   = "look"    // an interim look: the rounds so far were compared
)

// entry is a line of the journal.
type entry struct {
	Kind    string         `json:"kind"`
	At      time.Time      `json:"at"`
	Round   int            `json:"round"` // from 1; of a look: how many there were
	Server  string         `json:"server,omitempty"`
	File    string         `json:"file,omitempty"` // of the result; all files are relative to the folder
	Profile string         `json:"profile,omitempty"`
	Verdict result.Verdict `json:"verdict,omitempty"`
	Ready   time.Duration  `json:"ready,omitempty"` // the server's start
	Took    time.Duration  `json:"took,omitempty"`  // everything, cooldown included
	Busy    float64        `json:"busy,omitempty"`  // share of the machine after the cooldown
	Other   float64        `json:"other,omitempty"` // cores that other work, or the host, took during the run
	Remarks []string       `json:"remarks,omitempty"`
	// Of a round: the results that count, by server, and how many did not.
	Files   map[string]string `json:"files,omitempty"`
	Repeats map[string]int    `json:"repeats,omitempty"`
}

// journal is the memory of an experiment: append-only, one JSON object a line.
type journal struct {
	file    *os.File
	entries []entry
}

// openJournal opens or begins the experiment in a folder. A folder that holds
// another experiment is an error, as is one that somebody else is at.
func openJournal(o *Options) (*journal, error) {
	if err := os.MkdirAll(filepath.Join(o.Out, "runs"), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(o.Out, "journal.jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		err = fmt.Errorf("another bench run is at work in %s: %w", o.Out, err)
	} else if err = sameExperiment(o); err == nil {
		err = j.read(true)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// sameExperiment compares the options with those of the folder, or writes them
// there.
func sameExperiment(o *Options) error {
	path := filepath.Join(o.Out, "experiment.json")
	mine, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		return err
	}
	theirs, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return os.WriteFile(path, append(mine, '\n'), 0o644)
	case err != nil:
		return err
	case !bytes.Equal(bytes.TrimSpace(theirs), mine):
		return fmt.Errorf("%s holds another experiment: %s; choose another --out, or the same scenario, servers and flags", o.Out, firstDifference(theirs, mine))
	}
	return nil
}

// firstDifference shows the first line that is not the same.
func firstDifference(theirs, mine []byte) string {
	a, b := bytes.Split(bytes.TrimSpace(theirs), []byte("\n")), bytes.Split(mine, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("it has %s, this one %s", bytes.TrimSpace(a[i]), bytes.TrimSpace(b[i]))
		}
	}
	return "one has more than the other"
}

// read reads the entries. A last line that is torn, as a crash leaves it, is left
// out, and cut off where the file may be written.
func (j *journal) read(cut bool) error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if cut && whole < len(data) {
		if err := j.file.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	for i, line := range bytes.Split(data[:whole], []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d: %w", j.file.Name(), i+1, err)
		}
		j.entries = append(j.entries, e)
	}
	return nil
}

// add appends an entry.
func (j *journal) add(e entry) error {
	e.At = time.Now().UTC().Truncate(time.Millisecond)
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.entries = append(j.entries, e)
	_, err = j.file.Write(append(b, '\n'))
	return err
}

// rounds returns the complete ones, in order.
func (j *journal) rounds() (list []entry) {
	for _, e := range j.entries {
		if e.Kind == kindRound {
			list = append(list, e)
		}
	}
	return list
}

// interimLooks returns after how many rounds there was a comparison.
func (j *journal) interimLooks() (rounds []int) {
	for _, e := range j.entries {
		if e.Kind == kindLook && (len(rounds) == 0 || rounds[len(rounds)-1] != e.Round) {
			rounds = append(rounds, e.Round)
		}
	}
	return rounds
}

// close ends the work on the folder.
func (j *journal) close() error { return j.file.Close() }
