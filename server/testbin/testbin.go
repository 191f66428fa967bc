// Package testbin gives tests the commands of this module as programs.
package testbin

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Env names a folder that has the commands, built from what is tested: make test builds them once, where each of
// some ten packages would link 25 MB for itself.
const Env = "ROOST_BIN"

// cache is where the Go tool keeps what it has compiled, from before a test has set it for its own good: in an empty one
// all is compiled anew, two minutes of CPU for roostd.
var cache = os.Getenv("XDG_CACHE_HOME")

// Into puts commands, by their names below cmd/, into a folder: as links to those of Env, and built without it. The
// error has what the compiler says.
func Into(dir string, names ...string) error {
	if built := os.Getenv(Env); built != "" {
		for _, name := range names {
			path := filepath.Join(built, name)
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%s=%s: %w: build it, or unset %[1]s", Env, built, err)
			}
			if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	}
	// The trailing separator says that dir is a folder, also for one name.
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "roost/cmd/"+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return nil
}
