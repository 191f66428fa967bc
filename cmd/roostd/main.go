// Command roostd is one roost node: it holds the long-lived WebSockets of
// devices and delivers what is published to them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"roost/poller"
	"roost/server"
	"roost/server/inbox"
	"roost/server/inbox/journal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "roostd:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	opt     server.Options
	dataDir string
	inbox   string
	limits  inbox.Limits
	guide   bool
}

// parse reads the command line.
func parse(args []string, errout io.Writer) (_ *settings, err error) {
	s := &settings{}
	fs := flag.NewFlagSet("roostd", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&s.opt.Listen, "listen", "127.0.0.1:8080", "address for devices, `host:port`")
	fs.StringVar(&s.opt.API, "api", "127.0.0.1:8081", "address for publishers and operators, `host:port`")
	fs.StringVar(&s.opt.Auth, "auth", "none", "how devices prove who they are: none (development, loopback only)")
	fs.StringVar(&s.dataDir, "data-dir", "", "`directory` of this node's data; one process at a time (needed for --inbox file)")
	fs.StringVar(&s.inbox, "inbox", "", "where kept messages are: memory (lost at the end) or file (default: file with --data-dir, else memory)")
	fs.StringVar(&s.opt.Node, "node", "", "`name` of this node (default: host:port)")
	fs.BoolVar(&s.opt.Echo, "echo", false, "serve /v1/echo, for conformance suites and comparison")
	fs.BoolVar(&s.opt.Deflate, "deflate", false, "agree to permessage-deflate where a client offers it")
	proxy := fs.String("proxy-protocol", "off", "whether proxies in front name their clients by the PROXY protocol: off, optional or required")
	proxies := fs.String("proxy-from", "", "`addresses` or networks (CIDR) of those proxies, comma separated (default: loopback)")
	fs.IntVar(&s.opt.Loops, "loops", 0, "event loops (default: one per core)")
	unknown := fs.String("inbox-unknown", "refuse", "kept messages for devices that were never seen: refuse or store")
	uring := fs.String("io-uring", "auto", "send broadcasts through io_uring: auto or off")
	fs.IntVar(&s.opt.MaxConnections, "max-connections", 0, "cap on connections (default: what descriptors and memory allow)")
	fs.DurationVar(&s.opt.DrainOver, "drain", 0, "time over which to send devices away at the end (default: 1 s per 1,000, at most 30 s)")
	fs.BoolVar(&s.guide, "guide", false, "print where to go and what to try once ready")
	fs.Usage = func() {
		fmt.Fprintf(errout, "usage: roostd [flags]\n\nOne roost node. It prints a line that begins with \"ready\" once both listeners accept.\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: roostd takes flags only", fs.Arg(0))
	}
	if s.inbox == "" {
		s.inbox = "memory"
		if s.dataDir != "" {
			s.inbox = "file"
		}
	}
	switch {
	case *unknown != "refuse" && *unknown != "store":
		return nil, fmt.Errorf("inbox-unknown is %q: want refuse or store", *unknown)
	case s.inbox != "memory" && s.inbox != "file":
		return nil, fmt.Errorf("inbox is %q: want memory or file", s.inbox)
	case s.inbox == "file" && s.dataDir == "":
		return nil, errors.New("inbox file needs a directory: give --data-dir")
	}
	s.limits.KeepUnknown = *unknown == "store"
	if s.opt.Proxy, err = server.ParseProxy(*proxy, *proxies); err != nil {
		return nil, err
	}
	switch *uring {
	case "auto":
	case "off":
		s.opt.IOUring = poller.IOUringOff
	default:
		return nil, fmt.Errorf("io-uring is %q: want auto or off", *uring)
	}
	return s, nil
}

// run is the life of the process.
func run(ctx context.Context, args []string, out, errout io.Writer) error {
	s, err := parse(args, errout)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errout, nil))
	s.opt.Log = log
	if s.opt.Inbox, err = openInbox(s, log); err != nil {
		return err
	}
	if s.opt.Loops == 0 {
		s.opt.Loops = runtime.NumCPU()
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(s.opt.Loops + spareProcs)
	}
	srv, err := server.New(s.opt)
	if err != nil {
		return errors.Join(err, s.opt.Inbox.Close())
	}
	announce(srv, log)
	fmt.Fprintf(out, "ready listen=%s api=%s\n", srv.Addr(), srv.APIAddr())
	if s.guide {
		guide(out, srv)
	}
	select {
	case <-ctx.Done():
	case err := <-srv.Failed():
		srv.Close()
		return fmt.Errorf("api: %w", err)
	}
	// A second signal ends the drain.
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return srv.Drain(again)
}

// spareProcs is added to the number of loops for GOMAXPROCS: a busy loop sits
// in raw system calls that the scheduler cannot see, and API requests need a
// processor of their own. See bench/results for the measurement.
const spareProcs = 1

// announce logs what this node is and what bounds it.
func announce(srv *server.Server, log *slog.Logger) {
	c := srv.Capacity()
	log.Info("capacity", "connections", c.Connections, "limited_by", c.LimitedBy, "nofile", c.Files,
		"by_nofile", c.ByFiles, "by_memory", c.ByMemory, "for_more", c.Hint)
	uring := srv.Uring()
	if uring.OK {
		log.Info("broadcasts go through io_uring")
	} else {
		log.Info("broadcasts go through sendto", "because", "io_uring: "+uring.Why)
	}
	log.Warn("no authentication: anyone on this machine can publish and be any device", "auth", "none")
}

// guide prints what a new user wants to know.
func guide(out io.Writer, srv *server.Server) {
	dev, api := srv.Addr(), srv.APIAddr()
	fmt.Fprintf(out, `
  devices    ws://%[1]s/v1/connect?device=ID
  API        http://%[2]s/v1/publish
  metrics    http://%[2]s/metrics

Listen as a device (in another terminal), then send to everybody (in a third):

  bin/loadgen listen --url ws://%[1]s/v1/connect --device d1
  curl -d '{"all":true,"payload":{"hello":"world"}}' http://%[2]s/v1/publish

Any WebSocket client will do: npx wscat -s roost.v1.json -c 'ws://%[1]s/v1/connect?device=d1'
Ctrl-C ends the node.

`, dev, api)
}

// openInbox opens the store of kept messages.
func openInbox(s *settings, log *slog.Logger) (inbox.Store, error) {
	if s.inbox == "memory" {
		return inbox.NewMemory(s.limits, nil), nil
	}
	began := time.Now()
	path := filepath.Join(s.dataDir, "inbox")
	dir, err := journal.Dir(path)
	if err != nil {
		return nil, fmt.Errorf("data-dir %s: %w", s.dataDir, err)
	}
	store, found, err := inbox.OpenFile(inbox.FileOptions{FS: dir, Limits: s.limits,
		Space: func() (inbox.Space, error) { return inbox.SpaceOf(path) }})
	if err != nil {
		return nil, fmt.Errorf("data-dir %s: %w", s.dataDir, err)
	}
	n := store.Counts()
	log.Info("inbox", "dir", path, "devices", n.Devices, "messages", n.InFlight,
		"bytes", n.Disk, "took", time.Since(began).Round(time.Millisecond))
	if found.Lost > 0 {
		log.Error("the inbox was damaged: messages are lost, and every device is told so by a new epoch",
			"places", found.Lost, "salvaged", found.Salvaged, "first", fmt.Sprint(found.Damages))
	}
	return store, nil
}
