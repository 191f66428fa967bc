package access

import (
	"crypto/tls"
	"flag"
	"fmt"
	"strings"
)

// Etcd is where etcd is, and as whom.
type Etcd struct {
	// Endpoints are host:port, with https:// before it where TLS is used.
	Endpoints []string
	// User and Password; empty: none is said.
	User, Password string
	// TLS is nil for plain TCP.
	TLS *tls.Config
}

// EtcdFlags are the flags of a command that reaches etcd.
type EtcdFlags struct {
	// Endpoints is --etcd; empty where the flag is not given.
	Endpoints string

	user, passwordFile string
	tls                files
}

// EtcdFlagNames are the flags beside --etcd, and mean nothing without it.
var EtcdFlagNames = []string{"etcd-ca", "etcd-cert", "etcd-key", "etcd-user", "etcd-password-file"}

// EtcdEnviron says which variables are read, for help texts.
const EtcdEnviron = "ROOST_ETCD_USER and ROOST_ETCD_PASSWORD"

// Define defines all but --etcd, whose text is the command's own.
func (f *EtcdFlags) Define(fs *flag.FlagSet) {
	f.tls.define(fs, "etcd")
	fs.StringVar(&f.user, "etcd-user", "", "`name` that etcd knows this process by (or ROOST_ETCD_USER)")
	fs.StringVar(&f.passwordFile, "etcd-password-file", "", "`file` of its password (or the password in ROOST_ETCD_PASSWORD)")
}

// Read gives the flags their meaning; environ looks up variables. Errors say which flag,
// and what to do.
func (f *EtcdFlags) Read(environ func(string) string) (e Etcd, err error) {
	if e.Endpoints, err = parseEndpoints(f.Endpoints); err != nil {
		return e, err
	}
	secure := strings.HasPrefix(e.Endpoints[0], "https://")
	if name := f.tls.any(); name != "" && !secure {
		return e, fmt.Errorf("--%s is of TLS, and --etcd %s is without: write https:// before each address", name, f.Endpoints)
	}
	if secure {
		if e.TLS, err = f.tls.config(); err != nil {
			return e, err
		}
	}
	if e.User = f.user; e.User == "" {
		e.User = environ("ROOST_ETCD_USER")
	}
	if e.Password, err = secret("etcd-password-file", f.passwordFile, "ROOST_ETCD_PASSWORD", environ); err != nil {
		return e, err
	}
	switch {
	case e.User != "" && e.Password == "":
		return e, fmt.Errorf("etcd's user %q has no password: give --etcd-password-file or ROOST_ETCD_PASSWORD (one that is known by its certificate needs no --etcd-user)", e.User)
	case e.User == "" && e.Password != "":
		return e, fmt.Errorf("a password for etcd without a user: give --etcd-user or ROOST_ETCD_USER")
	}
	return e, nil
}

// parseEndpoints reads host:port,... with or without http:// and https://.
func parseEndpoints(s string) (list []string, err error) {
	secure := 0
	for one := range strings.SplitSeq(s, ",") {
		scheme, rest, ok := strings.Cut(one, "://")
		if !ok {
			scheme, rest = "", one
		}
		if ok && scheme != "http" && scheme != "https" {
			return nil, fmt.Errorf("etcd: %q: want host:port, or http:// or https:// before it", one)
		}
		addr, err := hostPort(rest, "2379")
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		if scheme == "https" {
			secure++
			addr = "https://" + addr
		}
		list = append(list, addr)
	}
	if secure > 0 && secure < len(list) {
		return nil, fmt.Errorf("etcd: %q: https:// for all of them, or for none", s)
	}
	return list, nil
}
