package trend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"roost/loadgen/result"
)

// Run is a result of the history.
type Run struct {
	File   string // relative to the folder
	Result *result.Result
}

// mostRuns bounds a history that is read; 10,000 are 27 years of nights.
const mostRuns = 10_000

// Read reads every result below a folder, the oldest first. Other files are
// passed over; results that cannot be read are told.
func Read(folder string) (runs []Run, problems []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if base := filepath.Base(path); base == "experiment.json" || strings.HasPrefix(base, "compare") || strings.HasPrefix(base, "warmup-") {
			return nil
		}
		if len(runs) == mostRuns {
			return fmt.Errorf("%s holds more than %d results: name a part of it", folder, mostRuns)
		}
		r, err := result.ReadFile(path)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", name, err))
			return nil
		}
		runs = append(runs, Run{File: name, Result: r})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return a.Result.Started.Compare(b.Result.Started) })
	return runs, problems, nil
}

// unsafe is what has no place in a file's name.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Add copies a result into the history and returns the name it has there. A
// result that is there already is an error.
func Add(folder, file string) (name string, err error) {
	r, err := result.ReadFile(file)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	id := unsafe.ReplaceAllString(r.ID, "-")
	name = r.Started.UTC().Format("20060102T150405Z") + "-" + unsafe.ReplaceAllString(r.Scenario.Name, "-") + "-" + id[:min(len(id), 16)] + ".json"
	// A name that is taken is refused, and a file that is there is whole.
	temporary := filepath.Join(folder, "."+name+".new")
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return "", err
	}
	err = os.Link(temporary, filepath.Join(folder, name))
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s is in %s already, as %s", file, folder, name)
	}
	return name, errors.Join(err, os.Remove(temporary))
}
