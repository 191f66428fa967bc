package main

import (
	"errors"
	"io"

	"roost/bench/explain"
)

// runExplain is bench explain.
func runExplain(args []string, out io.Writer) error {
	var o explain.Options
	c := newCommand("explain", "FOLDER", `Says where the difference between two servers of a bench run comes from: the primary
metric by phase, what moved most, and, if bench run took CPU profiles (--pprof), which
functions cost more or less per delivered message.
`)
	c.StringVar(&o.Server, "server", "", "`name` of the server to compare with the first (default the second)")
	c.StringVar(&o.Primary, "primary", "", "`metric` by which runs are chosen and phases compared (default as in bench compare)")
	c.BoolVar(&o.All, "all-runs", false, "profiles of all runs together, not of the two runs that are the medians")
	asJSON := c.Bool("json", false, "write JSON")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return err
	}
	if rest = append(rest, behind...); len(rest) != 1 {
		return errors.New("bench explain takes one folder of bench run")
	}
	x, err := explain.Folder(rest[0], o)
	if err != nil {
		return err
	}
	if *asJSON {
		return x.JSON(out)
	}
	return x.Text(out)
}
