package coord

import (
	"runtime/debug"

	"roost/loadgen/result"
)

// ThisTool describes the program that runs, by its build information.
func ThisTool(name string) result.Tool {
	t := result.Tool{Name: name}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	t.Go, t.Version = info.GoVersion, info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			t.Revision = s.Value
		case "vcs.modified":
			t.Modified = s.Value == "true"
		}
	}
	return t
}
