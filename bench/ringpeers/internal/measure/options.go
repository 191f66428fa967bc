package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Parts of a run.
const (
	PartLookup   = "lookup"
	PartTimes    = "times"
	PartBalance  = "balance"
	PartReweight = "reweight"
)

var parts = []string{PartLookup, PartTimes, PartBalance, PartReweight}

// Options of Run. Zero values are defaults.
type Options struct {
	Command []string `json:"-"`       // to be shown
	Out     string   `json:"-"`       // folder for results; bench/results/ring-DATE
	Only    []string `json:"only"`    // parts; all
	Nodes   []int    `json:"nodes"`   // sizes of rings; 16, 256, 1024
	Rounds  int      `json:"rounds"`  // 9
	Windows int      `json:"windows"` // kept windows a round; 5
	Keys    int      `json:"keys"`    // for lookups, a power of two; 16,384
	Balance int      `json:"balance"` // keys for balance, a power of two; 1,048,576
	Changed int      `json:"changed"` // nodes changed for moves; 3
	Quick   bool     `json:"quick"`   // small everything, to see that it works
}

func (o *Options) setDefaults() error {
	for _, part := range o.Only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("there is no part %q: use %s", part, strings.Join(parts, ", "))
		}
	}
	full := Options{Nodes: []int{16, 256, 1024}, Rounds: 9, Windows: 5, Keys: 1 << 14, Balance: 1 << 20, Changed: 3}
	if o.Quick {
		full = Options{Nodes: []int{4, 16}, Rounds: 2, Windows: 2, Keys: 1 << 10, Balance: 1 << 14, Changed: 1}
	}
	if len(o.Nodes) == 0 {
		o.Nodes = full.Nodes
	}
	for _, n := range o.Nodes {
		if n < 2 || n > 10_000 {
			return fmt.Errorf("a ring of %d nodes cannot be compared: use 2 to 10,000", n)
		}
	}
	for _, f := range []struct {
		name       string
		value      *int
		usual, min int
	}{
		{"rounds", &o.Rounds, full.Rounds, 1}, {"windows", &o.Windows, full.Windows, 1},
		{"keys", &o.Keys, full.Keys, 1024}, {"balance", &o.Balance, full.Balance, 1024}, {"changed", &o.Changed, full.Changed, 1},
	} {
		if *f.value == 0 {
			*f.value = f.usual
		}
		if *f.value < f.min {
			return fmt.Errorf("%s is %d, must be at least %d", f.name, *f.value, f.min)
		}
	}
	if o.Keys&(o.Keys-1) != 0 || o.Balance&(o.Balance-1) != 0 {
		return errors.New("the numbers of keys must be powers of two")
	}
	return nil
}

// wants reports whether a part is to be run.
func (o *Options) wants(part string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, part) }

// folder makes the folder for results: bench/results/ring-DATE, with the time
// behind it if that is taken.
func (o *Options) folder(now time.Time) (string, error) {
	folder := o.Out
	if folder == "" {
		folder = filepath.Join("bench", "results", "ring-"+now.Format(time.DateOnly))
		if _, err := os.Stat(folder); err == nil {
			folder += now.Format("-150405")
		}
	}
	return folder, os.MkdirAll(folder, 0o755)
}
