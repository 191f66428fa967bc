package main

import (
	"os"

	"roost/loadgen/live"
)

// viewFlags say how a run is shown while it is under way.
type viewFlags struct {
	quiet bool
	plain bool
}

func (v *viewFlags) add(f *flags) {
	f.BoolVar(&v.quiet, "quiet", false, "show nothing while it runs")
	f.BoolVar(&v.plain, "plain", false, "show lines, also where there is a terminal for a screen")
}

// open returns the view; nil if nothing is to be shown.
func (v *viewFlags) open(t terminal) live.View {
	if v.quiet {
		return nil
	}
	if !v.plain {
		if screen, ok := live.OpenTerminal(t.errout, os.Getenv); ok {
			return live.NewScreen(screen)
		}
	}
	return live.NewPlain(t.errout)
}
