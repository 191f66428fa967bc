package rig

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// asking is how long a question to a node's API may take.
var asking = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 2 * time.Second}}

// Metrics are the samples of a node: by name with labels as they stand, and summed
// up by name.
type Metrics map[string]float64

// Metrics reads them.
func (n *Node) Metrics() (Metrics, error) {
	resp, err := asking.Get(n.URL() + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("node %s: metrics: HTTP %d", n.ID, resp.StatusCode)
	}
	return parseMetrics(resp.Body)
}

// parseMetrics reads the text format. A name with labels counts for itself and is
// added to the name alone.
func parseMetrics(r io.Reader) (Metrics, error) {
	m := Metrics{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		series, rest := line, ""
		if i := strings.LastIndexByte(line, '}'); i >= 0 {
			series, rest = line[:i+1], line[i+1:]
		} else if i := strings.IndexByte(line, ' '); i >= 0 {
			series, rest = line[:i], line[i:]
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return nil, fmt.Errorf("metrics: %.80q has no value", line)
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %.80q: %w", line, err)
		}
		if name, _, labeled := strings.Cut(series, "{"); labeled {
			m[name] += v
		}
		m[series] = v
	}
	return m, lines.Err()
}

// Level is what a node uses besides what its devices need.
type Level struct {
	Goroutines  int `json:"goroutines"`
	Descriptors int `json:"descriptors"` // without those of connections on the device listener
	Devices     int `json:"devices"`
	RSS         int `json:"rss_bytes"`
}

// Level reads it.
func (n *Node) Level() (Level, error) {
	m, err := n.Metrics()
	if err != nil {
		return Level{}, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Pid()))
	if err != nil {
		return Level{}, fmt.Errorf("node %s: %w", n.ID, err)
	}
	return Level{int(m["go_goroutines"]), len(open) - int(m["roost_connections"]), int(m["roost_devices"]), int(m["process_resident_memory_bytes"])}, nil
}
