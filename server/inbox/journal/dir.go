package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// lockName is the file in the directory whose lock means: in use. It stays
// when the lock is given back, because removing it would let two processes
// hold locks on two files of that name.
const lockName = "lock"

// dir is a directory of the operating system.
type dir struct {
	path string
	self *os.File // the directory, for SyncDir
	lock *os.File
}

// Dir opens the directory at path for this process alone and makes it (mode
// 0700) if it is missing. The lock ends with Close or with the process,
// however that ends. If another process holds it, the error says which one.
func Dir(path string) (FS, error) {
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	self, err := os.Open(path)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &dir{path: path, self: self, lock: lock}, nil
}

// makeDir is os.MkdirAll, with every directory that it made durable.
func makeDir(path string) error {
	var above []string // of the directories that are missing
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) || p == filepath.Dir(p) {
			break
		}
		above = append(above, filepath.Dir(p))
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, p := range above {
		if err := syncPath(p); err != nil {
			return err
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	switch err := retry(func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		holder, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("journal: directory %s is in use by another process (%s): stop it or choose another directory", path, holder)
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("journal: lock %s: %w", f.Name(), err)
	}
	// What it says helps a human only; the lock holds without it, on a full
	// disk as well.
	_ = f.Truncate(0)
	_, _ = f.WriteAt(fmt.Appendf(nil, "pid %d since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339)), 0)
	return f, nil
}

func (d *dir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d *dir) Create(name string) (File, error) {
	return open(filepath.Join(d.path, name), os.O_CREATE|os.O_EXCL|os.O_RDWR)
}

func (d *dir) Open(name string) (File, error) {
	return open(filepath.Join(d.path, name), os.O_RDWR)
}

func (d *dir) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

func (d *dir) SyncDir() error { return d.self.Sync() }

func (d *dir) Close() error { return errors.Join(d.self.Close(), d.lock.Close()) }

// file is a file of the operating system.
type file struct {
	*os.File
	fd int // of File, asked for once: Fd does more than to return it
}

func open(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{File: f, fd: int(f.Fd())}, nil
}

func (f *file) Datasync() error {
	err := retry(func() error { return syscall.Fdatasync(f.fd) })
	runtime.KeepAlive(f)
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

func (f *file) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// retry calls f until it is not interrupted by a signal.
func retry(f func() error) error {
	for {
		if err := f(); err != syscall.EINTR {
			return err
		}
	}
}
