package experiment

import "context"

// Running is a server that runs outside of an experiment.
type Running struct{ p *process }

// Serve starts a server as an experiment does and waits until it is ready. What
// it says goes to logPath.
func Serve(ctx context.Context, s *Server, logPath string) (*Running, error) {
	p, err := start(ctx, s, "", logPath, defaultStartTime)
	if err != nil {
		return nil, err
	}
	return &Running{p}, nil
}

// PID returns the process's id.
func (r *Running) PID() int { return r.p.cmd.Process.Pid }

// URL and API return where it listens, their placeholders filled in.
func (r *Running) URL() string { return r.p.place.fill(r.p.server.URL) }

// API returns the base URL for publishing.
func (r *Running) API() string { return r.p.place.fill(r.p.server.API) }

// Stop asks it to end and kills it when it does not; remark says so.
func (r *Running) Stop() (remark string, err error) { return r.p.stop(defaultStopTime) }
