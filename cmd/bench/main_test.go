package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestReaderGone: a reader that goes away ends a command in order.
func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	defer signal.Stop(signals)
	out := &pipe{w, cancel}
	if _, err := out.Write([]byte("x")); err != nil || ctx.Err() != nil {
		t.Errorf("while it reads: %v, %v", err, ctx.Err())
	}
	r.Close()
	if _, err := out.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) || !errors.Is(context.Cause(ctx), syscall.EPIPE) {
		t.Errorf("once it has gone: %v, %v", err, context.Cause(ctx))
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
