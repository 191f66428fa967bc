package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"roost/loadgen/coord"
	"roost/loadgen/live"
	"roost/loadgen/report"
	"roost/loadgen/result"
)

// runReport is loadgen report.
func runReport(_ context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("report", "RESULT.json [--html FILE]", "Show the result of a run: as text, or as one HTML page that needs nothing else.")
	html := f.String("html", "", "`file` for the page")
	width := f.Int("width", live.Columns(t.out), "`columns` of the text; 0: 80")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	name, err := f.one(rest, "a result file")
	if err != nil {
		return 0, err
	}
	res, err := resultIn(name)
	if err != nil {
		return 0, err
	}
	if *html != "" {
		return 0, writeHTML(*html, res)
	}
	return 0, report.Text(t.out, res, *width)
}

// resultIn reads the result in a file. That there is none is a mistake.
func resultIn(name string) (*result.Result, error) {
	res, err := result.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w\n%w", errUsage, err)
	}
	return res, err
}

// writeHTML writes the page to a file: whole or not at all.
func writeHTML(path string, res *result.Result) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(report.HTML(f, res), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
