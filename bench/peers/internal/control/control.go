// Package control is what all Go peers share: the command line, the control
// port, the data listener and the way to stop. A peer adds only its WebSocket
// library, so that the rows of a table differ in nothing else.
package control

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxMessage bounds one message in bytes, on every peer and in both
	// directions.
	MaxMessage = 64 << 10

	// userTimeout is how long a client may take nothing of what is sent to it
	// before the kernel resets it. As a socket option it costs no call per
	// write, unlike a write deadline, and is the same for every peer.
	userTimeout = 5 * time.Second

	// headTimeout bounds the reading of a request's head.
	headTimeout = 10 * time.Second
)

// Info describes a peer; GET /info answers with it.
type Info struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Echo      bool   `json:"echo"`
	Broadcast bool   `json:"broadcast"`
	Compress  bool   `json:"compress"`
	// Threads is how many threads may run the data path at once.
	Threads int `json:"threads"`
	// Hello counts the frames a client gets unasked after its upgrade.
	Hello int    `json:"hello"`
	Note  string `json:"note"`
}

// Peer is a running WebSocket server.
type Peer interface {
	// Broadcast sends payload as one text message to every connection and
	// returns to how many, once all writes are handed over. It is never called
	// twice at a time.
	Broadcast(payload []byte) (sent int, err error)
	// Conns counts the upgraded connections.
	Conns() int
}

// Options is the command line.
type Options struct{ Listen, Control string }

// ParseFlags defines the shared flags and parses the command line. A peer
// defines its own flags before.
func ParseFlags() Options {
	var o Options
	flag.StringVar(&o.Listen, "listen", "", "address of the data port")
	flag.StringVar(&o.Control, "control", "", "address of the control port")
	flag.Parse()
	if o.Listen == "" || o.Control == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// Version returns the version of a module linked into this program, without
// the v, so that a table cannot name another one.
func Version(module string) string {
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, d := range bi.Deps {
			if d.Path == module {
				return strings.TrimPrefix(d.Version, "v")
			}
		}
	}
	return "unknown"
}

// Listen opens the data port. Keep-alive is off since no peer is to send
// anything of its own; the C floor does not either.
func Listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if cerr := c.Control(func(fd uintptr) { err = SetUserTimeout(int(fd)) }); cerr != nil {
				return cerr
			}
			return err
		},
	}
	return lc.Listen(context.Background(), "tcp", addr)
}

// SetUserTimeout sets the slow client limit on a listener; accepted sockets
// inherit it.
func SetUserTimeout(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
}

// ServeHTTP serves the data port of a peer that upgrades from net/http.
func ServeHTTP(addr string, h http.Handler) error {
	ln, err := Listen(addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headTimeout}
	go func() { Fatal(srv.Serve(ln)) }()
	return nil
}

// Run starts the peer and its control port, prints "ready" and waits for
// SIGTERM, on which the process exits with 0.
func Run(o Options, info Info, start func(addr string) (Peer, error)) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	if info.Threads == 0 {
		info.Threads = runtime.GOMAXPROCS(0)
	}
	p, err := start(o.Listen)
	if err != nil {
		Fatal(err)
	}
	ln, err := net.Listen("tcp", o.Control)
	if err != nil {
		Fatal(err)
	}
	srv := &http.Server{Handler: handler(p, info), ReadHeaderTimeout: headTimeout}
	go func() { Fatal(srv.Serve(ln)) }()
	fmt.Println("ready")
	<-term
	os.Exit(0)
}

// Fatal ends the process because of err.
func Fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// handler is the control port.
func handler(p Peer, info Info) http.Handler {
	var broadcasting sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("POST /broadcast", func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		broadcasting.Lock()
		sent, err := p.Broadcast(payload)
		broadcasting.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, map[string]int{"sent": sent})
	})
	collect := func(w http.ResponseWriter, _ *http.Request) {
		// The first collection moves pooled objects to the pools' victim
		// caches, the second frees them.
		runtime.GC()
		runtime.GC()
		w.WriteHeader(http.StatusOK)
	}
	mux.HandleFunc("POST /gc", collect)
	mux.HandleFunc("GET /debug/pprof/heap", collect) // how loadgen asks any Go server for it
	mux.HandleFunc("GET /conns", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]int{"conns": p.Conns()})
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, info)
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the driver is gone: nothing to tell it
}
