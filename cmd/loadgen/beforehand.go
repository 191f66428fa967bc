package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"roost/loadgen/coord"
	"roost/loadgen/scenario"
)

// checked returns a scenario whose thresholds are on metrics that exist: a run
// of an hour is no time to find that out after.
func checked(sc *scenario.Scenario) (*scenario.Scenario, error) {
	if err := coord.CheckThresholds(sc); err != nil {
		return nil, fmt.Errorf("%w\n%w", errUsage, err)
	}
	return sc, nil
}

// probed reports a server of the scenario that cannot be read.
func probed(sc *scenario.Scenario) error {
	p, err := coord.OpenProbe(sc.Server)
	if err != nil {
		return fmt.Errorf("%w\n%w", errUsage, err)
	}
	if p != nil {
		p.Close()
	}
	return nil
}

// writable reports what could not be written at the end: for each path, a file
// is made beside it and removed. Empty paths are not asked for.
func writable(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory: want the name of a file", path)
		}
		f, err := os.CreateTemp(filepath.Dir(path), ".loadgen-*")
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w", path, err)
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// saved writes what a run has found to a file; where that cannot be done any
// more, as on a full disk, to one in the folder for temporary files. The error
// says where it is.
func saved(path string, write func(path string) error) error {
	err := write(path)
	if err == nil {
		return nil
	}
	dir, failed := os.MkdirTemp("", "loadgen-*")
	if failed != nil {
		return errors.Join(err, failed)
	}
	instead := filepath.Join(dir, filepath.Base(path))
	if failed := write(instead); failed != nil {
		return errors.Join(err, failed, os.RemoveAll(dir))
	}
	return fmt.Errorf("%w; it is in %s instead", err, instead)
}
