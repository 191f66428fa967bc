package result

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// exportBench writes Go's benchmark format (golang.org/design/14313): one line
// for the run and one for each phase and group of it, without warm-up. One
// line is one run: repeat the run for more. Keys in which two runs differ make
// benchstat compare nothing, so the run's id and date are not among them, and
// the first line says by which labels to compare.
func exportBench(w io.Writer, r *Result) error {
	var b strings.Builder
	var columns []string
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		columns = append(columns, "label-"+benchKey(name))
	}
	if len(columns) == 0 {
		columns = []string{".file"}
	}
	fmt.Fprintf(&b, "# compare with: benchstat -col %s a.txt b.txt\n", strings.Join(columns, ","))
	if r.Verdict == Invalid {
		b.WriteString("# INVALID: these numbers are not a result\n")
	}
	key := func(name, value string) {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	key("scenario", r.Scenario.Name)
	key("scenario-hash", r.Scenario.SHA256)
	key("comparability", r.Comparability.Hash)
	key("verdict", string(r.Verdict))
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		key("label-"+benchKey(name), r.Labels[name])
	}
	rows := benchRows(r)
	units := map[string]bool{}
	for _, row := range rows {
		for _, m := range row.metrics {
			if unit := benchUnit(m); !units[unit] {
				units[unit] = true
				fmt.Fprintf(&b, "Unit %s better=%s\n", unit, m.Better)
			}
		}
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "%s 1", row.name)
		for _, m := range row.metrics {
			fmt.Fprintf(&b, " %s %s", float(m.Value), benchUnit(m))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// benchRow is a line of the format.
type benchRow struct {
	name    string
	metrics []Metric
}

// benchRows collects metrics that are better or worse by phase and group.
func benchRows(r *Result) (rows []benchRow) {
	index := map[string]int{}
	for _, m := range r.Metrics() {
		if m.Better == "" || m.Warmup {
			continue
		}
		name := "Benchmark" + benchName(r.Scenario.Name)
		if m.Phase != "" {
			name += "/phase=" + benchPart(m.Phase)
		}
		if m.Group != "" {
			name += "/group=" + benchPart(m.Group)
		}
		// Last, so that the end of a group's name is not taken for -GOMAXPROCS.
		name += fmt.Sprintf("/conns=%d", benchConns(r))
		i, known := index[name]
		if !known {
			i = len(rows)
			index[name] = i
			rows = append(rows, benchRow{name: name})
		}
		rows[i].metrics = append(rows[i].metrics, m)
	}
	return rows
}

// benchConns is how many connections the scenario means to have: what was
// reached may differ from run to run, and would make other benchmarks of them.
func benchConns(r *Result) (n int) {
	for _, w := range r.Workers {
		n += w.Clients
	}
	return n
}

// benchName is a scenario's name in the form of a benchmark's: FanOut.
func benchName(s string) string {
	var b strings.Builder
	up := true
	for _, c := range s {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = true
			continue
		case up:
			c = unicode.ToUpper(c)
		}
		b.WriteRune(c)
		up = false
	}
	if b.Len() == 0 || unicode.IsLower([]rune(b.String())[0]) {
		return "Run" + b.String()
	}
	return b.String()
}

// benchPart is a name that ends no part of a benchmark's name.
func benchPart(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsControl(c) || c == '/' || c == '=' {
			return '_'
		}
		return c
	}, s)
}

// benchKey is a name that a configuration line may begin with.
func benchKey(s string) string {
	return strings.Map(func(c rune) rune {
		c = unicode.ToLower(c)
		if unicode.IsSpace(c) || unicode.IsControl(c) || unicode.IsUpper(c) || strings.ContainsRune(":,@", c) {
			return '-'
		}
		return c
	}, s)
}

// benchUnit is a metric as a unit: what follows the last hyphen is the scale
// that benchstat knows, as in delivery-p99-ns and server-user-B/conn.
func benchUnit(m Metric) string {
	name := strings.NewReplacer(".", "-", "_", "-").Replace(m.Base)
	switch m.Unit {
	case "ns", "B":
		return name + "-" + m.Unit
	case "ns/msg":
		return strings.TrimSuffix(name, "-per-msg") + "-ns/msg"
	case "B/conn":
		return strings.TrimSuffix(name, "-b-per-conn") + "-B/conn"
	case "1/s":
		return name + "/s"
	}
	return name
}
