package calibrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/validity"
)

// Store keeps the ceiling of this machine, so that it is measured once: by
// number of workers, in a file of a folder.
type Store struct {
	Dir   string        // made when it is needed; empty: nothing is kept
	Facts []result.Fact // of the machine and the build: of others the ceiling is another
	// Refresh measures anew, whatever is kept.
	Refresh bool
	Measure func(ctx context.Context, workers int) (*validity.Ceiling, error)
	Say     io.Writer // what takes its time is said here
}

// DefaultDir is the folder of this user.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "roost"), nil
}

// kept is the file's form.
type kept struct {
	Version  int               `json:"version"`
	Facts    []result.Fact     `json:"facts"`
	Workers  int               `json:"workers"`
	Ceiling  validity.Ceiling  `json:"ceiling"`
	Measured time.Time         `json:"measured"`
	Before   *validity.Ceiling `json:"before,omitempty"` // what was measured then, and was less
}

// keptVersion changes when the measurement does.
const keptVersion = 1

// fresh is how long a ceiling that is too low is believed before it is measured
// again.
const fresh = 10 * time.Minute

// path is the file of so many workers.
func (s *Store) path(workers int) string {
	h := sha256.New()
	for _, f := range s.Facts {
		fmt.Fprintf(h, "%q=%q\n", f.Name, f.Value)
	}
	fmt.Fprint(h, keptVersion, workers)
	return filepath.Join(s.Dir, fmt.Sprintf("ceiling-%s.json", hex.EncodeToString(h.Sum(nil)[:8])))
}

// read returns what is kept. A file that cannot be right is none.
func (s *Store) read(workers int) (k kept, ok bool) {
	if s.Dir == "" {
		return k, false
	}
	b, err := os.ReadFile(s.path(workers))
	if err != nil || json.Unmarshal(b, &k) != nil {
		return kept{}, false
	}
	return k, k.Version == keptVersion && k.Workers == workers && good(&k.Ceiling) && !k.Measured.IsZero()
}

// write keeps a ceiling: whole, or not at all.
func (s *Store) write(k kept) error {
	if s.Dir == "" {
		return nil
	}
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.Dir, ".ceiling-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path(k.Workers))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Of returns the ceiling of so many workers: what is kept, or else what is
// measured now. One that is too low for the scenario is measured again, and the
// better one counts: the machine may have been busy.
func (s *Store) Of(ctx context.Context, sc *scenario.Scenario, workers int) (*validity.Ceiling, error) {
	k, ok := s.read(workers)
	enough := ok && suffices(&k.Ceiling, sc)
	if ok && !s.Refresh && (enough || time.Since(k.Measured) < fresh) {
		return &k.Ceiling, nil
	}
	why := "it is measured once"
	switch {
	case s.Refresh:
		why = "as asked"
	case ok:
		why = "what is known seems too low for this plan"
	}
	fmt.Fprintf(s.Say, "loadgen: measuring what %s can do at most on this machine, about 5 s (%s; --no-ceiling goes without)\n", plural(workers), why)
	c, err := s.Measure(ctx, workers)
	if err != nil {
		return nil, err
	}
	next := kept{Version: keptVersion, Facts: s.Facts, Workers: workers, Ceiling: *c, Measured: time.Now().UTC()}
	if ok && !s.Refresh {
		next.Before = &k.Ceiling
		next.Ceiling = validity.Ceiling{Deliveries: max(c.Deliveries, k.Ceiling.Deliveries), Sends: max(c.Sends, k.Ceiling.Sends), Dials: max(c.Dials, k.Ceiling.Dials)}
	}
	if err := s.write(next); err != nil {
		fmt.Fprintf(s.Say, "loadgen: the ceiling could not be kept and is measured again next time: %v\n", err)
	}
	return &next.Ceiling, nil
}

// suffices reports whether a ceiling is high enough for a plan.
func suffices(c *validity.Ceiling, s *scenario.Scenario) bool {
	if s == nil {
		return true
	}
	p, factor := s.Plan(), s.Validity.CeilingFactor
	return c.Deliveries >= factor*p.PeakDeliveryRate && c.Sends >= factor*p.PeakRequestRate
}

func plural(workers int) string {
	if workers == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", workers)
}
