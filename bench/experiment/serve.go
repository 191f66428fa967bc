package experiment

import (
	"context"
	"sync"
	"time"
)

// Running is a server that runs outside of an experiment.
type Running struct {
	p    *process
	over sync.Once // Stop or Kill
}

// Serve starts a server as an experiment does and waits until it is ready. What
// it says goes to logPath.
func Serve(ctx context.Context, s *Server, logPath string) (*Running, error) {
	p, err := start(ctx, s, "", logPath, defaultStartTime)
	if err != nil {
		return nil, err
	}
	return &Running{p: p}, nil
}

// PID returns the process's id.
func (r *Running) PID() int { return r.p.cmd.Process.Pid }

// Ready returns how long it took from its start until it was ready.
func (r *Running) Ready() time.Duration { return r.p.took }

// URL and API return where it listens, their placeholders filled in.
func (r *Running) URL() string { return r.p.place.fill(r.p.server.URL) }

// API returns the base URL for publishing.
func (r *Running) API() string { return r.p.place.fill(r.p.server.API) }

// Command returns its command, the placeholders filled in.
func (r *Running) Command() (words []string) {
	for _, w := range r.p.server.Command {
		words = append(words, r.p.place.fill(w))
	}
	return words
}

// Stop asks it to end and kills it when it does not; remark says so. After Stop
// and Kill further ones do nothing.
func (r *Running) Stop() (remark string, err error) {
	r.over.Do(func() { remark, err = r.p.stop(defaultStopTime) })
	return remark, err
}

// Kill ends it at once.
func (r *Running) Kill() (err error) {
	r.over.Do(func() {
		r.p.kill()
		err = r.p.clean()
	})
	return err
}

// Exit returns how it has ended, nil for code 0; it waits for that.
func (r *Running) Exit() error {
	<-r.p.exited
	return r.p.err
}
