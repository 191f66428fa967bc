package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// answer is standard output, which keeps its first error: an answer that was not
// written whole is none, whoever of its writers looked.
type answer struct {
	w   io.Writer
	err error
}

func (a *answer) Write(b []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.w.Write(b)
	if err != nil {
		a.err = fmt.Errorf("cannot write the answer: %w", err)
	}
	return n, a.err
}

// checkOutput refuses names that flag can not mean.
func checkOutput(flag, name string) error {
	if name == "-" {
		return fmt.Errorf("--%s - is refused: standard output has the answer; name a file (./- if it is called so)", flag)
	}
	return nil
}

// writeFile writes a file. One that is there, or that a symbolic link leads to, is
// replaced whole or not at all, and keeps its mode and owner. What is no regular file, such as a
// fifo or a device, is written to as it is.
func writeFile(ctx context.Context, name string, write func(io.Writer) error) error {
	old, err := os.Stat(name)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err == nil && !old.Mode().IsRegular():
		err = await(ctx, func() error { return writeStraight(name, write) })
	case err == nil || errors.Is(err, fs.ErrNotExist):
		err = replaceFile(name, old, write)
	}
	if err == nil || errors.Is(err, errInterrupted) {
		return err
	}
	// The name in err may be that of the temporary file.
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	} else if link := (*os.LinkError)(nil); errors.As(err, &link) {
		err = link.Err
	}
	return fmt.Errorf("cannot write %s: %w", name, err)
}

func writeStraight(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// replaceFile writes a new file beside the one that name leads to, and puts it in
// its place when it is on the disk. old is what is there, or nil.
func replaceFile(name string, old fs.FileInfo, write func(io.Writer) error) (err error) {
	if name, err = followLinks(name); err != nil {
		return err
	}
	dir, _ := filepath.Split(name)
	f, err := os.OpenFile(fmt.Sprintf("%s.roostctl-%x", dir, rand.Uint64()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil && old != nil {
		if s, ok := old.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(s.Uid), int(s.Gid)) // as far as it is allowed
		}
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// followLinks returns what the last of a chain of symbolic links says, be it there or
// not.
func followLinks(name string) (string, error) {
	for range 40 { // as many as Linux follows
		link, err := os.Readlink(name)
		if err != nil {
			return name, nil // no link
		}
		if !filepath.IsAbs(link) {
			dir, _ := filepath.Split(name) // as it is: a .. in it may follow a link
			link = dir + link
		}
		name = link
	}
	return "", syscall.ELOOP
}

// syncDir makes a new name in a directory last; not all file systems can.
func syncDir(dir string) error {
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
