package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Folder makes a folder for results. The default is bench/results/KIND-DATE, with
// the time behind it if that is taken: nothing is overwritten.
func Folder(folder, kind string) (string, error) {
	if folder != "" {
		return folder, os.MkdirAll(folder, 0o755)
	}
	now := time.Now()
	folder = filepath.Join("bench", "results", kind+"-"+now.Format(time.DateOnly))
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	err := os.Mkdir(folder, 0o755)
	for n := 0; errors.Is(err, os.ErrExist); n++ { // in the same second another number
		folder = filepath.Join("bench", "results", kind+now.Format("-2006-01-02-150405"))
		if n > 0 {
			folder += fmt.Sprintf("-%d", n+1)
		}
		err = os.Mkdir(folder, 0o755)
	}
	return folder, err
}

// open opens the experiment of a folder to read it.
func open(folder string) (*experiment, error) {
	x := &experiment{}
	data, err := os.ReadFile(filepath.Join(folder, "experiment.json"))
	if err != nil {
		return nil, fmt.Errorf("%s is no folder of bench run: %w", folder, err)
	}
	if err := json.Unmarshal(data, &x.Options); err != nil {
		return nil, fmt.Errorf("%s/experiment.json: %w", folder, err)
	}
	x.Out = folder
	f, err := os.Open(filepath.Join(folder, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	x.journal = &journal{file: f}
	return x, x.journal.read(false)
}

// Profiles returns the CPU profiles of a server's runs that count, by the file of
// the result as Pairs names it.
func Profiles(folder, server string) (map[string]string, error) {
	x, err := open(folder)
	if err != nil {
		return nil, err
	}
	defer x.journal.close()
	counts := map[string]bool{}
	for _, round := range x.journal.rounds() {
		counts[round.Files[server]] = true
	}
	files := map[string]string{}
	for _, e := range x.journal.entries {
		if e.Profile != "" && counts[e.File] {
			files[e.File] = filepath.Join(folder, e.Profile)
		}
	}
	return files, nil
}

// Round is one that is complete.
type Round struct {
	Number int                // from 1
	Runs   map[string]Counted // by server
}

// Counted is the one of a server's attempts that stays, and what is known of it
// beside its result.
type Counted struct {
	File    string  // of the result
	Repeats int     // attempts before it that did not count
	Other   float64 // cores that other work, or the host, took during it
}

// Rounds reads the complete rounds of an experiment from its folder, in order.
func Rounds(folder string) ([]Round, error) {
	x, err := open(folder)
	if err != nil {
		return nil, err
	}
	defer x.journal.close()
	other := map[string]float64{}
	for _, e := range x.journal.entries {
		other[e.File] = e.Other
	}
	var rounds []Round
	for _, e := range x.journal.rounds() {
		r := Round{Number: e.Round, Runs: map[string]Counted{}}
		for server, file := range e.Files {
			r.Runs[server] = Counted{File: filepath.Join(folder, file), Repeats: e.Repeats[server], Other: other[file]}
		}
		rounds = append(rounds, r)
	}
	return rounds, nil
}
