package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"roost/poller"
	"roost/server"
	"roost/server/access"
	"roost/server/admission"
	"roost/server/inbox"
)

// settings are what the command line says.
type settings struct {
	opt     server.Options
	dataDir string
	inbox   string
	limits  inbox.Limits
	guide   bool
	cluster clusterSettings
}

// words are settings that are names of something; parse gives them their meaning.
type words struct {
	unknown, uring, proxy, proxies string
}

// parse reads the command line; environ looks up what does not belong on one.
func parse(args []string, environ func(string) string, errout io.Writer) (*settings, error) {
	s, w := &settings{}, &words{}
	fs := flag.NewFlagSet("roostd", flag.ContinueOnError)
	fs.SetOutput(errout)
	s.flags(fs, w)
	s.cluster.flags(fs)
	fs.Usage = func() {
		fmt.Fprintf(errout, "usage: roostd [flags]\n\nOne roost node. It prints a line that begins with \"ready\" once both listeners accept.\n"+
			"With --etcd and --redis it is one of many.\n\n")
		fs.PrintDefaults()
		fmt.Fprintf(errout, "\nFrom the environment: %s; %s.\n", access.EtcdEnviron, access.RedisEnviron)
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: roostd takes flags only", fs.Arg(0))
	}
	if err := s.means(w); err != nil {
		return nil, err
	}
	if err := s.cluster.means(s, given(fs), environ); err != nil {
		return nil, err
	}
	return s, s.store()
}

// flags are those of every node.
func (s *settings) flags(fs *flag.FlagSet, w *words) {
	fs.StringVar(&s.opt.Listen, "listen", "127.0.0.1:8080", "address for devices, `host:port`")
	fs.StringVar(&s.opt.API, "api", "127.0.0.1:8081", "address for publishers and operators, `host:port`")
	fs.StringVar(&s.opt.Auth, "auth", "none", "how devices prove who they are: none (development, loopback only)")
	fs.StringVar(&s.dataDir, "data-dir", "", "`directory` of this node's data; one process at a time (needed for --inbox file)")
	fs.StringVar(&s.inbox, "inbox", "", "where kept messages are: memory (lost at the end), file, or redis (default: redis with --redis, file with --data-dir, else memory)")
	fs.StringVar(&s.opt.Node, "node", "", "`name` of this node (default: host:port)")
	fs.BoolVar(&s.opt.Echo, "echo", false, "serve /v1/echo, for conformance suites and comparison")
	fs.BoolVar(&s.opt.Deflate, "deflate", false, "agree to permessage-deflate where a client offers it")
	fs.StringVar(&w.proxy, "proxy-protocol", "off", "whether proxies in front name their clients by the PROXY protocol: off, optional or required")
	fs.StringVar(&w.proxies, "proxy-from", "", "`addresses` or networks (CIDR) of those proxies, comma separated (default: loopback)")
	s.connectFlags(fs)
	fs.IntVar(&s.opt.Loops, "loops", 0, "event loops (default: one per core)")
	fs.StringVar(&w.unknown, "inbox-unknown", "refuse", "kept messages for devices that were never seen: refuse or store")
	fs.StringVar(&w.uring, "io-uring", "auto", "send broadcasts through io_uring: auto or off")
	fs.IntVar(&s.opt.MaxConnections, "max-connections", 0, "cap on connections (default: what descriptors and memory allow)")
	fs.DurationVar(&s.opt.DrainOver, "drain", 0, "time over which to send devices away at the end (default: 1 s per 1,000, at most 30 s)")
	fs.BoolVar(&s.guide, "guide", false, "print where to go and what to try once ready")
}

// connectFlags are those that bound who connects, and how often.
func (s *settings) connectFlags(fs *flag.FlagSet) {
	l := &s.opt.Connects
	fs.Float64Var(&l.Node, "accept-rate", admission.Usual.Node, fmt.Sprintf("most `connects` a second that this node takes; it begins with %.0f, and goes by what it has measured that they cost (0: no limit)", admission.UsualBudget))
	fs.Float64Var(&l.Address, "address-rate", admission.Usual.Address, "most `connects` a second from one address, or 64-bit network of IPv6; loopback has no limit (0: nobody has)")
	fs.Float64Var(&l.Device, "device-rate", admission.Usual.Device, "most `connects` a second of one device (0: no limit, and no quarantine)")
	fs.DurationVar(&l.Quarantine, "quarantine", admission.Usual.Quarantine, fmt.Sprintf("for how long a device is refused that connects %d times in a minute (0: it is not)", admission.MostInMinute))
}

// means gives words their meaning.
func (s *settings) means(w *words) (err error) {
	switch w.unknown {
	case "refuse", "store":
		s.limits.KeepUnknown = w.unknown == "store"
	default:
		return fmt.Errorf("inbox-unknown is %q: want refuse or store", w.unknown)
	}
	switch w.uring {
	case "auto":
	case "off":
		s.opt.IOUring = poller.IOUringOff
	default:
		return fmt.Errorf("io-uring is %q: want auto or off", w.uring)
	}
	if s.opt.Proxy, err = server.ParseProxy(w.proxy, w.proxies); err != nil {
		return err
	}
	return s.opt.Connects.Check()
}

// store chooses where kept messages are.
func (s *settings) store() error {
	if s.inbox == "" {
		switch {
		case s.cluster.on():
			s.inbox = "redis"
		case s.dataDir != "":
			s.inbox = "file"
		default:
			s.inbox = "memory"
		}
	}
	switch {
	case s.inbox != "memory" && s.inbox != "file" && s.inbox != "redis":
		return fmt.Errorf("inbox is %q: want memory, file or redis", s.inbox)
	case s.inbox == "redis" && !s.cluster.on():
		return errors.New("inbox redis is for nodes of a cluster: give --etcd and --redis")
	case s.inbox != "redis" && s.cluster.on():
		return fmt.Errorf("inbox %s is of one node alone, and with --etcd and --redis this is one of many: they share what is kept, in Redis", s.inbox)
	case s.inbox == "file" && s.dataDir == "":
		return errors.New("inbox file needs a directory: give --data-dir")
	}
	return nil
}

// given are the flags that the command line has.
func given(fs *flag.FlagSet) map[string]bool {
	m := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { m[f.Name] = true })
	return m
}

// inboxDir is where the file store is.
func (s *settings) inboxDir() string { return filepath.Join(s.dataDir, "inbox") }
