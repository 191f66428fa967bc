package main

import (
	"context"
	"errors"
	"io"
	"os"
)

// errInterrupted is the end by a signal: nothing more is answered, and the exit code
// is 130.
var errInterrupted = errors.New("interrupted")

// await calls f, which may block, and returns its error, or errInterrupted as soon as
// ctx ends. Then f is left behind, with all that it uses: the process ends soon.
func await(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errInterrupted
	}
}

// input is a reader that ends with ctx: a terminal, a pipe and a fifo block for as
// long as nobody writes to them.
type input struct {
	ctx context.Context
	r   io.Reader
	b   []byte // belongs to the read under way; so not the caller's
}

func newInput(ctx context.Context, r io.Reader) *input {
	return &input{ctx, r, make([]byte, 64<<10)}
}

// Read is that of r, or fails with errInterrupted; after that it must not be called
// again.
func (in *input) Read(p []byte) (int, error) {
	n := 0
	part := in.b[:min(len(p), len(in.b))]
	err := await(in.ctx, func() (err error) {
		n, err = in.r.Read(part)
		return err
	})
	if errors.Is(err, errInterrupted) {
		return 0, err // n may still change
	}
	return copy(p, part[:n]), err
}

// openFile opens a file to read. A fifo blocks already here.
func openFile(ctx context.Context, name string) (f *os.File, in *input, err error) {
	opened := make(chan *os.File, 1)
	if err := await(ctx, func() error {
		f, err := os.Open(name)
		opened <- f
		return err
	}); err != nil {
		return nil, nil, err
	}
	f = <-opened
	return f, newInput(ctx, f), nil
}
