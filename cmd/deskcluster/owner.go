package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"roost/server/engines"
)

// owner is whom etcd and Redis belong to (engines.Owner).
type owner struct {
	dir  string
	temp bool // dir is ours, to be removed
	ends []func()
}

// open takes dir for data and logs, or makes a temporary folder for "".
func (o *owner) open(dir string) (err error) {
	if o.dir = dir; dir != "" {
		return os.MkdirAll(dir, 0o700)
	}
	o.dir, err = os.MkdirTemp("", "roost-cluster-")
	o.temp = err == nil
	return err
}

// end ends the servers, the last started first, and removes the folder if it is a
// temporary one.
func (o *owner) end() error {
	for i := len(o.ends) - 1; i >= 0; i-- {
		o.ends[i]()
	}
	o.ends = nil
	if !o.temp {
		return nil
	}
	return os.RemoveAll(o.dir)
}

// Helper does nothing.
func (o *owner) Helper() {}

// failed is what Fatalf says.
type failed struct{ error }

// Fatalf ends the start: see caught.
func (o *owner) Fatalf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// caught turns what Fatalf said into an error. To be deferred.
func (o *owner) caught(err *error) {
	switch p := recover().(type) {
	case nil:
	case failed:
		*err = p.error
	default:
		panic(p)
	}
}

// Cleanup has f called at the end.
func (o *owner) Cleanup(f func()) { o.ends = append(o.ends, f) }

// TempDir makes a folder.
func (o *owner) TempDir() string {
	dir, err := os.MkdirTemp(o.dir, "engine-")
	if err != nil {
		o.Fatalf("%v", err)
	}
	return dir
}

// freePort returns the wanted port of 127.0.0.1, or another one where that is taken.
func freePort(wanted int) (int, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", wanted))
	if err == nil {
		return wanted, l.Close()
	}
	port, other := engines.FreePort()
	if other != nil {
		return 0, errors.Join(err, other)
	}
	return port, nil
}
