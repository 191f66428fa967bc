package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"roost/loadgen/coord"
	"roost/loadgen/result"
)

// runExport is loadgen export.
func runExport(_ context.Context, args []string, t terminal) (coord.Exit, error) {
	about := "Write the result of a run in another tool's format:\n"
	var names []string
	for _, f := range result.Formats {
		about += fmt.Sprintf("\n  %-9s %s", f.Name, f.Words)
		names = append(names, f.Name)
	}
	f := newFlags("export", "RESULT.json --format F [--out FILE]", about)
	format := f.String("format", "", "`name` of the format: "+strings.Join(names, ", "))
	out := f.String("out", "", "`file` to write (default: standard output)")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	name, err := f.one(rest, "a result file")
	if err != nil {
		return 0, err
	}
	if !slices.Contains(names, *format) {
		return 0, mistake("--format %q: want one of %s", *format, strings.Join(names, ", "))
	}
	res, err := resultIn(name)
	if err != nil {
		return 0, err
	}
	if *out == "" {
		w := bufio.NewWriter(t.out)
		return 0, errors.Join(result.Export(w, res, *format), w.Flush())
	}
	return 0, exportFile(*out, res, *format)
}

// exportFile writes to a file; what could not be written is removed.
func exportFile(path string, res *result.Result, format string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(result.Export(w, res, format), w.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
