package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/usage"
)

// server is a roostd with a store, on a disk that was chosen.
type server struct {
	*experiment.Running
	dir   string // of its data, if that is removed with it; else empty
	files int    // descriptors without connections
}

const (
	startTime = 15 * time.Second
	stopTime  = 40 * time.Second // roostd drains
)

// startServer starts a roostd. Its data is in a new directory of data, or in dir,
// which stays. What it says goes to a file of logs.
func startServer(ctx context.Context, binary, store, data, dir, logs string) (*server, error) {
	v := &server{}
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp(data, "bench"); err != nil {
			return nil, err
		}
		v.dir = dir
	}
	log, err := os.CreateTemp(logs, "roost-"+store+"-*.log")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(v.dir))
	}
	s := roostd(binary, dir, "--inbox", store)
	if v.Running, err = experiment.Serve(ctx, &s, log.Name()); err == nil {
		if v.files, err = openFiles(v); err != nil {
			v.kill()
		}
	}
	if err = errors.Join(err, log.Close()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(v.dir))
	}
	return v, nil
}

// kill ends the server at once; it may have ended.
func (v *server) kill() {
	_ = v.Kill()
	os.RemoveAll(v.dir)
}

// stop asks the server to end, which it has to do with 0.
func (v *server) stop() error {
	err := stopNode(nil, v.Running)
	if end := v.Exit(); end != nil {
		err = errors.Join(err, fmt.Errorf("the node ended with %w", end))
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// quiet waits until the connections of the run before are gone.
func (v *server) quiet(ctx context.Context) error { return quiet(ctx, v, v.files) }

// settled collects twice, waits, and reads the resident size.
func (v *server) settled(ctx context.Context, settle time.Duration) (int64, error) {
	for range 2 {
		if err := v.get(ctx, "/debug/pprof/heap?gc=1", io.Discard); err != nil {
			return 0, err
		}
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(settle):
	}
	m, err := v.process().Memory()
	return m.RSS, err
}

// process is the server's.
func (v *server) process() usage.Process { return usage.Process(v.PID()) }

// metrics reads the node's metrics: the value behind each name with its labels.
func (v *server) metrics(ctx context.Context) (map[string]float64, error) {
	var b bytes.Buffer
	if err := v.get(ctx, "/metrics", &b); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if value, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			values[line[:i]] = value
		}
	}
	return values, nil
}

// get fetches a path of the node's API.
func (v *server) get(ctx context.Context, path string, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.API()+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}
