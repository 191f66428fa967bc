package experiment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

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
