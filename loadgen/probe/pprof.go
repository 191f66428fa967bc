package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// collect has the server collect its garbage, twice: the second takes what
// finalizers of the first have freed.
func (p *Probe) collect(ctx context.Context, s *server) error {
	for range 2 {
		err := p.get(ctx, s.pprof+"/heap?gc=1", p.cfg.Timeout, func(body io.Reader) error {
			_, err := io.Copy(io.Discard, body)
			return err
		})
		if err != nil {
			return fmt.Errorf("collection: %w", err)
		}
	}
	return nil
}

// Profile takes a CPU profile of every server with pprof, all at once and for so
// long (whole seconds, at least 1), into files of dir that Servers then names.
// It takes the server a few percent of its CPU.
func (p *Probe) Profile(ctx context.Context, length time.Duration, dir, prefix string) error {
	errs := make([]error, len(p.servers))
	var all sync.WaitGroup
	for i, s := range p.servers {
		if s.pprof == "" {
			continue
		}
		all.Go(func() {
			name := fmt.Sprintf("%s-server%d.cpu.pprof", prefix, i)
			if err := p.profile(ctx, s, length, filepath.Join(dir, name)); err != nil {
				errs[i] = fmt.Errorf("probe: profile of %s: %w", s.name(), err)
				return
			}
			s.mu.Lock()
			s.about.Profile = name
			s.mu.Unlock()
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// profile writes one. A file that is not whole is removed.
func (p *Probe) profile(ctx context.Context, s *server, length time.Duration, path string) (err error) {
	seconds := max(int(length/time.Second), 1)
	url := fmt.Sprintf("%s/profile?seconds=%d", s.pprof, seconds)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	return p.get(ctx, url, time.Duration(seconds)*time.Second+p.cfg.Timeout, func(body io.Reader) error {
		n, err := io.Copy(f, body)
		if err == nil && n == 0 {
			err = errors.New("an empty profile")
		}
		return err
	})
}
