package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// sections are the flags of run and search in the order in which help has them,
// by what they are about. Commands of few flags need none.
var sections = []struct {
	title string
	flags []string
}{
	{"What is searched", []string{"over", "from", "to", "precision", "confirm", "steps"}},
	{"What is run", []string{"p", "count", "rate", "size", "hold", "warmup", "ramp", "share", "seed", "threshold"}},
	{"Where", []string{"url", "api", "dialect", "format", "source", "ports"}},
	{"The server", []string{"pid", "cgroup", "metrics-url", "pprof-url", "no-profile", "kill", "restart"}},
	{"Workers", []string{"workers", "listen", "expect", "token", "wait", "allow-loss"}},
	{"Before it", []string{"dry-run", "skip-preflight", "no-ceiling", "refresh-ceiling"}},
	{"During it", []string{"quiet", "plain", "stream", "prometheus"}},
	{"Afterwards", []string{"out", "html", "label"}},
}

// sectioned is the number of flags from which on help is in sections.
const sectioned = 12

// printFlags writes what each flag is for.
func (f *flags) printFlags(w io.Writer) {
	count := 0
	f.VisitAll(func(*flag.Flag) { count++ })
	shown := map[string]bool{}
	if count >= sectioned {
		gap := ""
		for _, s := range sections {
			title := gap + s.title + ":\n"
			for _, name := range s.flags {
				if fl := f.Lookup(name); fl != nil {
					fmt.Fprint(w, title)
					title = ""
					printFlag(w, fl)
					shown[name] = true
				}
			}
			if title == "" {
				gap = "\n"
			}
		}
	}
	f.VisitAll(func(fl *flag.Flag) {
		if !shown[fl.Name] {
			printFlag(w, fl)
		}
	})
}

// Columns of help.
const (
	helpName  = 26 // where the words begin
	helpWidth = 80
)

// printFlag writes a flag and its words, wrapped.
func printFlag(w io.Writer, fl *flag.Flag) {
	value, words := flag.UnquoteUsage(fl)
	if value == "string" || value == "int" || value == "float" {
		value = "value"
	}
	head := "  --" + fl.Name
	switch {
	case value == "":
	case value[0] >= '0' && value[0] <= '9': // an example
		head += " " + value
	default:
		head += " " + strings.ToUpper(value)
	}
	if len(fl.Name) == 1 {
		head = strings.Replace(head, "--", "-", 1)
	}
	if !slices.Contains([]string{"", "0", "0s", "false"}, fl.DefValue) && fl.Name != "token" { // which is a secret
		words += " (default " + strings.TrimSuffix(fl.DefValue, "m0s") + minutes(fl.DefValue) + ")"
	}
	line := head
	if len(head) > helpName-2 {
		fmt.Fprintln(w, head)
		line = ""
	}
	line += strings.Repeat(" ", helpName-len(line))
	empty := true
	for _, word := range strings.Fields(words) {
		if !empty && len(line)+1+len(word) > helpWidth {
			fmt.Fprintln(w, line)
			line, empty = strings.Repeat(" ", helpName), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}

// minutes is what TrimSuffix took off a duration of whole minutes: 1m, not 1m0s.
func minutes(value string) string {
	if strings.HasSuffix(value, "m0s") {
		return "m"
	}
	return ""
}
