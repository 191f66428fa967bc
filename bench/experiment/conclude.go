package experiment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"roost/bench/compare"
)

// Pairs reads the sides of an experiment from its folder: of the first server,
// and of each other one, over all complete rounds. With them come the options by
// which an experiment's sides are compared, with notes for the reader.
func Pairs(folder string) (sides []compare.Side, o compare.Options, err error) {
	x, err := open(folder)
	if err != nil {
		return nil, o, err
	}
	defer func() { err = errors.Join(err, x.journal.close()) }()
	sides, err = x.sides()
	return sides, x.compareOptions(), err
}

// compareOptions says how sides are compared. The servers are what is tried, so
// facts about them may differ from side to side. So may the hash of the scenario
// if the servers speak different protocols or have other paths, as these are in
// it: that the scenario is the same otherwise is the experiment's doing.
func (x *experiment) compareOptions() compare.Options {
	o := compare.Options{Primary: x.Primary, MinEffect: x.MinEffect, Notes: x.notes(), Between: []string{"server *"}}
	for i := range x.Servers {
		s, first := &x.Servers[i], &x.Servers[0]
		if s.Dialect != first.Dialect || s.URL != first.URL || s.API != first.API {
			o.Between = append(o.Between, "scenario")
			o.Notes = append(o.Notes, "the servers are not spoken to in the same way: the load is the same, what a message is may not be")
			break
		}
	}
	return o
}

// sides reads the results that count.
func (x *experiment) sides() (sides []compare.Side, err error) {
	for _, s := range x.Servers {
		var files []string
		for _, round := range x.journal.rounds() {
			files = append(files, filepath.Join(x.Out, round.Files[s.Name]))
		}
		side, err := compare.ReadSide(s.Name, files)
		if err != nil {
			return nil, err
		}
		for i := range side.Runs {
			if name, err := filepath.Rel(x.Out, side.Runs[i].File); err == nil {
				side.Runs[i].File = name
			}
		}
		sides = append(sides, side)
	}
	return sides, nil
}

// notes are what a reader of the comparison should know.
func (x *experiment) notes() (notes []string) {
	disturbed := ""
	if x.MaxOther > 0 {
		disturbed = ", disturbed by other work"
	}
	for _, s := range x.Servers {
		repeats := 0
		for _, round := range x.journal.rounds() {
			repeats += round.Repeats[s.Name]
		}
		if repeats > 0 {
			notes = append(notes, fmt.Sprintf("%d runs of %s were INVALID%s or interrupted, and run again", repeats, s.Name, disturbed))
		}
	}
	loud, killed := 0, 0
	for _, e := range x.journal.entries {
		if e.Kind == kindRun && e.Busy > quietShare {
			loud++
		}
		for _, r := range e.Remarks {
			if strings.Contains(r, "was killed") {
				killed++
			}
		}
	}
	if loud > 0 {
		notes = append(notes, fmt.Sprintf("before %d runs the machine did not become quiet", loud))
	}
	if killed > 0 {
		notes = append(notes, fmt.Sprintf("%d times a server did not end when it was asked to, and was killed", killed))
	}
	before := 0
	for _, n := range x.journal.interimLooks() {
		if n < len(x.journal.rounds()) {
			before++
		}
	}
	if before > 0 {
		notes = append(notes, fmt.Sprintf("pairs were added after the result of fewer had been seen, %d times: p is lower than it should be", before))
	}
	return notes
}

// conclude compares every server with the first and writes what comes of it.
func (x *experiment) conclude() (cs []*compare.Comparison, err error) {
	if err := x.journal.add(entry{Kind: kindLook, Round: len(x.journal.rounds())}); err != nil {
		return nil, err
	}
	sides, err := x.sides()
	if err != nil {
		return nil, err
	}
	for _, side := range sides[1:] {
		c, err := compare.Compare(sides[0], side, x.compareOptions())
		if err != nil {
			return nil, err
		}
		name := "compare"
		if len(sides) > 2 {
			name += "-" + side.Label
		}
		if err := write(filepath.Join(x.Out, name), c); err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	if len(cs) > 1 {
		var b bytes.Buffer
		compare.Servers(&b, cs)
		err = os.WriteFile(filepath.Join(x.Out, "servers.md"), b.Bytes(), 0o644)
	}
	return cs, err
}

// write writes a comparison in all forms.
func write(base string, c *compare.Comparison) error {
	for ending, form := range map[string]func(io.Writer) error{
		".txt": func(w io.Writer) error { return c.Text(w, true) }, ".md": c.Markdown, ".html": c.HTML, ".json": c.JSON,
	} {
		var b bytes.Buffer
		if err := form(&b); err != nil {
			return err
		}
		if err := os.WriteFile(base+ending, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
