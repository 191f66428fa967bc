package metrics

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// The descriptors of the process, under the names that Prometheus' own clients give them.
// The library's metrics of the process leave them out, since it counts them by listing.
var (
	OpenFDs = Desc{"process_open_fds", Gauge, "Descriptors that are open."}
	MaxFDs  = Desc{"process_max_fds", Gauge, "Descriptors that may be open."}
)

// fdFolder lists this process's descriptors.
const fdFolder = "/proc/self/fd"

// fdsAgain is how long a count by listing holds, on kernels that do not tell the number: it
// walks over all of them.
const fdsAgain = 10 * time.Second

// fdCount counts descriptors. The zero value is ready.
type fdCount struct {
	mu   sync.Mutex // covers the following, and is held while counting
	n    int
	when time.Time
}

// now returns how many descriptors are open. From 6.2 on Linux says so as the size of the
// folder, out of a bitmap; before, size is 0.
func (c *fdCount) now() (int, error) {
	if s, err := os.Stat(fdFolder); err == nil && s.Size() > 0 {
		return int(s.Size()), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.when) < fdsAgain {
		return c.n, nil
	}
	n, err := listed(fdFolder)
	if err == nil {
		c.n, c.when = n, time.Now()
	}
	return n, err
}

// listed counts the names in a folder.
func listed(folder string) (n int, err error) {
	d, err := os.Open(folder)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(4096)
		n += len(names)
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
	}
}

// writeFDs writes both; what cannot be known is left out.
func (c *fdCount) writeFDs(w *Writer) {
	if n, err := c.now(); err == nil {
		w.Sample(OpenFDs, float64(n))
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		w.Sample(MaxFDs, float64(limit.Cur))
	}
}
