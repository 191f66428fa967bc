package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"roost/loadgen/usage"
)

// nodeSpec is one way to start a roostd.
type nodeSpec struct {
	Name string
	Path string
	Args []string
	Env  []string // beside ours
	Data string   // where its data directory is made; empty: where temporary files are
	Dir  string   // or a directory of its own, which stays
}

// server is a subject that runs.
type server struct {
	nodeSpec
	cmd      *exec.Cmd
	dir      string        // of its data
	data     string        // host:port of the WebSocket side
	side     string        // host:port of the API
	files    int           // descriptors without connections
	took     time.Duration // from the start to ready
	exited   chan struct{}
	exitedAs error
}

const (
	startTime = 15 * time.Second
	stopTime  = 40 * time.Second // roostd drains
)

// start starts the subject on free ports and waits until it is ready.
func (s nodeSpec) start(ctx context.Context, logPath string) (*server, error) {
	v := &server{nodeSpec: s, exited: make(chan struct{})}
	var err error
	if v.data, err = freeAddr(); err != nil {
		return nil, err
	}
	if v.side, err = freeAddr(); err != nil {
		return nil, err
	}
	if v.dir = s.Dir; v.dir == "" {
		if v.dir, err = os.MkdirTemp(s.Data, "bench"); err != nil {
			return nil, err
		}
	}
	v.cmd = exec.Command(s.Path, v.args()...)
	began := time.Now()
	ready, err := v.launch(logPath)
	if err != nil {
		v.clean()
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	select {
	case <-ready:
		v.took = time.Since(began)
		v.files, err = openFiles(v)
	case <-v.exited:
		return nil, fmt.Errorf("%s ended before it was ready: %v, see %s", s.Name, v.exitedAs, logPath)
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(startTime):
		err = fmt.Errorf("%s was not ready within %v, see %s", s.Name, startTime, logPath)
	}
	if err != nil {
		v.kill()
		return nil, err
	}
	return v, nil
}

// args are the server's flags.
func (v *server) args() []string {
	return join([]string{"--listen", v.data, "--api", v.side, "--auth", "none", "--data-dir", v.dir, "--echo"}, v.Args)
}

// launch starts the process, which writes to the log, and a goroutine that sees
// it say "ready" and end.
func (v *server) launch(logPath string) (ready <-chan struct{}, err error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	v.cmd.Stderr = log
	out, err := v.cmd.StdoutPipe()
	if err == nil {
		err = v.cmd.Start()
	}
	if err != nil {
		log.Close()
		return nil, err
	}
	said := make(chan struct{})
	go func() {
		once := sync.OnceFunc(func() { close(said) })
		for r := bufio.NewScanner(out); r.Scan(); {
			if strings.HasPrefix(r.Text(), "ready") {
				once()
			}
			fmt.Fprintln(log, r.Text())
		}
		_, _ = io.Copy(log, out) // what follows a line that is too long
		v.exitedAs = v.cmd.Wait()
		v.clean()
		log.Close()
		close(v.exited)
	}()
	return said, nil
}

// clean removes what the server has left, unless it is somebody's.
func (v *server) clean() {
	if v.Dir == "" {
		os.RemoveAll(v.dir)
	}
}

// freeAddr returns a loopback address that nobody listens on, below the usual
// range of source ports: a node that is started again must find its own free.
func freeAddr() (string, error) {
	var last error
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 21_000+rand.IntN(11_000)))
		if err == nil {
			return ln.Addr().String(), ln.Close()
		}
		last = err
	}
	return "", last
}

func (v *server) kill() {
	_ = v.cmd.Process.Kill()
	<-v.exited
}

// stop asks the server to end, which it has to do with 0.
func (v *server) stop() error {
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-v.exited:
	case <-time.After(stopTime):
		v.kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM", v.Name, stopTime)
	}
	if v.exitedAs != nil {
		return fmt.Errorf("%s: %w", v.Name, v.exitedAs)
	}
	return nil
}

// quiet waits until the connections of the run before are gone.
func (v *server) quiet(ctx context.Context) error { return quiet(ctx, v, v.files) }

// PID, URL and API are as of experiment.Running.
func (v *server) PID() int    { return v.cmd.Process.Pid }
func (v *server) URL() string { return "ws://" + v.data + "/v1/connect" }
func (v *server) API() string { return "http://" + v.side }

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
func (v *server) process() usage.Process { return usage.Process(v.cmd.Process.Pid) }

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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.side+path, nil)
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
