package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"roost/bench/trend"
)

// runTrend is bench trend.
func runTrend(args []string, out io.Writer) error {
	var o trend.Options
	c := newCommand("trend", "FOLDER [--add RESULT.json]...", `Shows how metrics change over a folder of result files, and where they jump. Results
are in the order of their time; those of one scenario, comparability and server are
one series. A step is seen once there are 4 runs behind it. --add puts results into
the folder first; nothing that is there is replaced.
`)
	var add []string
	c.list(&add, "add", "put this `result` into the folder; may be repeated")
	c.list(&o.Metrics, "metric", "show this `metric`, such as delivery.p99; may be repeated (default those that comparisons test)")
	c.share(&o.MinEffect, "min-effect", "least `change` that is a step (default 5% for times, 2% for the rest)")
	c.share(&o.Alpha, "alpha", "`chance` of a false step in a series (default 0.01)")
	html := c.String("html", "", "write a page to this `file` as well")
	asJSON := c.Bool("json", false, "write JSON")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return err
	}
	if rest = append(rest, behind...); len(rest) != 1 {
		return errors.New("bench trend takes one folder of results")
	}
	for _, file := range add {
		name, err := trend.Add(rest[0], file)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s is in %s as %s\n", file, rest[0], name)
	}
	runs, problems, err := trend.Read(rest[0])
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return fmt.Errorf("%s holds no result of loadgen", rest[0])
	}
	t := trend.Analyse(runs, o)
	t.Problems = problems
	if *html != "" {
		var page bytes.Buffer
		if err := t.HTML(&page); err != nil {
			return err
		}
		if err := os.WriteFile(*html, page.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if *asJSON {
		return t.JSON(out)
	}
	return t.Text(out)
}
