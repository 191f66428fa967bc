package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metrics are the samples of a page that are of use here, by name and, for
// buckets, by their bound: "go_gc_pauses_seconds_bucket 0.001".
type metrics map[string]float64

// pauseBuckets is the histogram of the collector's pauses: its counts are
// cumulative.
const pauseBuckets = "go_gc_pauses_seconds_bucket"

// wanted are the names, as client_golang and VictoriaMetrics's library have
// them; /gc/heap/live:bytes is of client_golang when it is asked to.
var wanted = map[string]bool{
	"process_cpu_seconds_total": true, "process_cpu_seconds_user_total": true, "process_cpu_seconds_system_total": true,
	"process_resident_memory_bytes": true, "process_open_fds": true,
	"go_goroutines": true, "go_gc_duration_seconds_count": true, "go_gc_forced_count": true,
	"go_gc_heap_live_bytes": true, "go_memstats_heap_alloc_bytes": true, "go_memstats_stack_inuse_bytes": true,
	pauseBuckets: true,
}

// maxPage bounds what is read of an answer.
const maxPage = 64 << 20

// scrape reads a page of metrics.
func (p *Probe) scrape(ctx context.Context, url string) (m metrics, err error) {
	err = p.get(ctx, url, p.cfg.Timeout, func(body io.Reader) error {
		m, err = parseMetrics(body)
		return err
	})
	if err == nil && len(m) == 0 {
		err = fmt.Errorf("%s: none of the metrics of a process or of Go's runtime: is it the URL of its metrics?", url)
	}
	return m, err
}

// get makes a request and hands the body of an answer over that is 200.
func (p *Probe) get(ctx context.Context, url string, timeout time.Duration, take func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err // it names the URL
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxPage)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(body, 200))
		return fmt.Errorf("GET %s: HTTP %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	}
	if err := take(body); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	_, err = io.Copy(io.Discard, body) // or the connection cannot be used again
	return err
}

// parseMetrics reads lines "name{label="value",...} number [time]". Lines that
// are of no use, or make no sense, are passed over.
func parseMetrics(r io.Reader) (metrics, error) {
	m := metrics{}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), 1<<20)
	for s.Scan() {
		name, value, ok := parseLine(s.Text())
		if ok {
			m[name] = value
		}
	}
	return m, s.Err()
}

// parseLine reads one line.
func parseLine(line string) (name string, value float64, ok bool) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || !wanted[line[:end]] {
		return "", 0, false
	}
	name, rest := line[:end], line[end:]
	if rest[0] == '{' {
		closing := strings.LastIndexByte(rest, '}')
		if closing < 0 {
			return "", 0, false
		}
		if name == pauseBuckets {
			_, bound, found := strings.Cut(rest[:closing], `le="`)
			bound, _, closed := strings.Cut(bound, `"`)
			if !found || !closed {
				return "", 0, false
			}
			name += " " + bound
		}
		rest = rest[closing+1:]
	}
	f := strings.Fields(rest)
	if len(f) == 0 {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(f[0], 64)
	return name, value, err == nil && !math.IsNaN(value)
}

// fromMetrics takes over what only grows.
func (c *sums) fromMetrics() {
	seconds := func(name string) time.Duration { return time.Duration(c.metrics[name] * 1e9) }
	c.cpu = seconds("process_cpu_seconds_total")
	c.user, c.system = seconds("process_cpu_seconds_user_total"), seconds("process_cpu_seconds_system_total")
	c.gcs = c.metrics["go_gc_duration_seconds_count"]
}

// fromMetrics takes over what goes up and down. The live heap is that after the
// last collection where the server says so, else what is allocated, garbage
// too: the same right after a collection.
func (l *levels) fromMetrics(m metrics) {
	level := func(names ...string) int64 {
		for _, name := range names {
			if v, ok := m[name]; ok && v >= 0 && v < 1<<62 {
				return int64(v)
			}
		}
		return -1
	}
	l.RSS = level("process_resident_memory_bytes")
	l.Heap = level("go_gc_heap_live_bytes", "go_memstats_heap_alloc_bytes")
	l.Stacks = level("go_memstats_stack_inuse_bytes")
	l.Goroutines = int(level("go_goroutines"))
	l.Files = int(level("process_open_fds"))
}

// longestPause returns the upper bound of the longest of the collector's pauses
// between two pages, 0 without any or without the histogram.
func longestPause(from, to metrics) time.Duration {
	// The counts are cumulative, so the longest is in the first bucket whose
	// growth is that of all.
	all, ok := to[pauseBuckets+" +Inf"]
	all -= from[pauseBuckets+" +Inf"]
	if !ok || all <= 0 {
		return 0
	}
	longest := math.Inf(1)
	for name, n := range to {
		text, is := strings.CutPrefix(name, pauseBuckets+" ")
		if !is || n-from[name] < all {
			continue
		}
		if bound, err := strconv.ParseFloat(text, 64); err == nil {
			longest = min(longest, bound)
		}
	}
	if math.IsInf(longest, 1) { // beyond the last bound
		longest = 0
		for name := range to {
			if text, is := strings.CutPrefix(name, pauseBuckets+" "); is && text != "+Inf" {
				bound, _ := strconv.ParseFloat(text, 64)
				longest = max(longest, bound)
			}
		}
	}
	return time.Duration(longest * 1e9)
}
