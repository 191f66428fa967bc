package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"roost/bench/compare"
	"roost/bench/experiment"
)

// compareFlags are those of bench compare.
type compareFlags struct {
	compare.Options
	a, b           string
	labelA, labelB string
	format         string
	html           string
	all            bool
}

// runCompare is bench compare.
func runCompare(args []string, out io.Writer) error {
	var f compareFlags
	c := newCommand("compare", "FOLDER | A.json B.json | --a A1.json,A2.json --b B1.json,B2.json", `Compares result files of loadgen: the folder of a bench run, or files in the order
in which they were measured, A1 with B1, A2 with B2. One pair alone proves nothing;
6 are the least for an interval of 95 %, 10 are usual.

`+exitCodes)
	c.StringVar(&f.a, "a", "", "`files` of A, separated by commas")
	c.StringVar(&f.b, "b", "", "`files` of B")
	c.StringVar(&f.labelA, "label-a", "", "`name` of A (default A; of a folder: the server's)")
	c.StringVar(&f.labelB, "label-b", "", "`name` of B")
	c.StringVar(&f.Primary, "primary", "", "`metric` that the verdict hangs on (default server.cpu_to_loadgen if a server was probed, else delivery.p99)")
	c.share(&f.MinEffect, "min-effect", "least `change` that counts, of every metric (default 5% for times, 2% for the rest)")
	c.share(&f.Alpha, "alpha", "`chance` of a false alarm in the primary metric, and in all others together (default 0.05)")
	c.BoolVar(&f.Unpaired, "unpaired", false, "run i of A and run i of B were no neighbours in time")
	c.list(&f.Ignore, "ignore", "`fact` that may differ, such as 'host kernel' or 'sysctl *'; may be repeated")
	c.StringVar(&f.format, "format", "text", "text, md, html or json")
	c.StringVar(&f.html, "html", "", "write the page to this `file` as well")
	c.BoolVar(&f.all, "all", false, "show every metric, those without a verdict too")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return err
	}
	sides, err := f.sides(append(rest, behind...))
	if err != nil {
		return err
	}
	var cs []*compare.Comparison
	for _, b := range sides[1:] {
		one, err := compare.Compare(sides[0], b, f.Options)
		if err != nil {
			return err
		}
		cs = append(cs, one)
	}
	if err := f.show(cs, out); err != nil {
		return err
	}
	if code := compare.Worst(cs); code != 0 {
		return exitCode(code)
	}
	return nil
}

// sides reads what is to be compared; the first is A.
func (f *compareFlags) sides(rest []string) ([]compare.Side, error) {
	a, b := strings.Split(f.a, ","), strings.Split(f.b, ",")
	switch {
	case f.a != "" && f.b != "" && len(rest) == 0:
	case f.a == "" && f.b == "" && len(rest) == 1:
		info, err := os.Stat(rest[0])
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("%s: one file cannot be compared with itself; say bench compare A.json B.json", rest[0])
		}
		return f.folder(rest[0])
	case f.a == "" && f.b == "" && len(rest) == 2:
		a, b = rest[:1], rest[1:]
		f.labelA, f.labelB = orElse(f.labelA, base(rest[0])), orElse(f.labelB, base(rest[1]))
		if f.labelA == f.labelB {
			f.labelA, f.labelB = rest[0], rest[1]
		}
	case len(rest) > 2:
		return nil, errors.New("more than two files: say which are of A and which of B, as --a A1.json,A2.json --b B1.json,B2.json")
	default:
		return nil, errors.New("say what to compare: a folder of bench run, two files, or --a FILES --b FILES")
	}
	sideA, err := compare.ReadSide(orElse(f.labelA, "A"), a)
	if err != nil {
		return nil, err
	}
	sideB, err := compare.ReadSide(orElse(f.labelB, "B"), b)
	return []compare.Side{sideA, sideB}, err
}

// folder reads that of a bench run.
func (f *compareFlags) folder(name string) ([]compare.Side, error) {
	sides, how, err := experiment.Pairs(name)
	if err != nil {
		return nil, err
	}
	if len(sides[0].Runs) == 0 {
		return nil, fmt.Errorf("%s: no pair is complete yet", name)
	}
	f.Notes, f.Between, f.Primary = how.Notes, how.Between, orElse(f.Primary, how.Primary)
	if f.MinEffect == 0 {
		f.MinEffect = how.MinEffect
	}
	if len(sides) == 2 {
		sides[0].Label, sides[1].Label = orElse(f.labelA, sides[0].Label), orElse(f.labelB, sides[1].Label)
	}
	return sides, nil
}

func base(file string) string { return strings.TrimSuffix(filepath.Base(file), ".json") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// show writes the comparisons as asked.
func (f *compareFlags) show(cs []*compare.Comparison, out io.Writer) error {
	if f.html != "" && len(cs) > 1 || f.format == "html" && len(cs) > 1 {
		return errors.New("a page is of one comparison, and these are several; bench run has written one for each into its folder")
	}
	for i, c := range cs {
		if i > 0 && f.format != "json" {
			fmt.Fprintln(out)
		}
		var err error
		switch f.format {
		case "text":
			err = c.Text(out, f.all)
		case "md":
			err = c.Markdown(out)
		case "json":
			err = c.JSON(out)
		case "html":
			err = c.HTML(out)
		default:
			err = fmt.Errorf("--format %s: must be text, md, html or json", f.format)
		}
		if err != nil {
			return err
		}
	}
	if f.html == "" {
		return nil
	}
	var page bytes.Buffer
	if err := cs[0].HTML(&page); err != nil {
		return err
	}
	return os.WriteFile(f.html, page.Bytes(), 0o644)
}
