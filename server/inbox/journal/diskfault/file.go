package diskfault

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// errDead is what files say that were open when the disk crashed.
var errDead = errors.New("diskfault: the machine that had this file open is gone")

// file is an open file.
type file struct {
	disk   *Disk
	name   string
	node   *inode
	mount  int
	closed bool
}

// use locks the disk if the file is usable.
func (f *file) use(op Op) error {
	f.disk.mu.Lock()
	err := f.disk.faults.hit(op)
	switch {
	case f.mount != f.disk.mounts:
		err = errDead
	case f.closed:
		err = fs.ErrClosed
	}
	if err != nil {
		f.disk.mu.Unlock()
		return &fs.PathError{Op: string(op), Path: f.name, Err: err}
	}
	return nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.use(OpRead); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	data := f.node.data
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if len(f.node.bad) > 0 {
		for i := int(off) / Sector; i*Sector < int(off)+n; i++ {
			if f.node.bad[i] {
				n = max(0, i*Sector-int(off))
				return n, &fs.PathError{Op: "read", Path: f.name, Err: syscall.EIO}
			}
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.use(OpWrite); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	n, err := f.disk.faults.room(f.disk, f.node, off, len(p))
	f.node.write(p[:n], int(off))
	if failed := f.disk.faults.hit(OpWritten); failed != nil && err == nil {
		n, err = 0, failed
	}
	if err != nil {
		err = &fs.PathError{Op: "write", Path: f.name, Err: err}
	}
	return n, err
}

func (f *file) Datasync() error {
	f.disk.mu.Lock()
	failed := f.disk.faults.hit(OpDatasync)
	f.disk.mu.Unlock()
	if err := f.use(OpNone); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	switch {
	case failed != nil:
		f.node.fail()
		return &fs.PathError{Op: "fdatasync", Path: f.name, Err: failed}
	case !f.disk.faults.lying:
		f.node.sync()
	}
	return nil
}

func (f *file) Size() (int64, error) {
	if err := f.use(OpNone); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) Truncate(n int64) error {
	if err := f.use(OpTruncate); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	f.node.truncate(int(n))
	return nil
}

func (f *file) Close() error {
	if err := f.use(OpNone); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	f.closed = true
	f.disk.open--
	return nil
}
