package diskfault

// Op names a call that can be made to fail.
type Op string

// The calls that Fail knows.
const (
	OpNone     Op = ""
	OpList     Op = "list"
	OpCreate   Op = "create"
	OpOpen     Op = "open"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpWritten  Op = "written" // a write that is done and fails all the same
	OpDatasync Op = "datasync"
	OpTruncate Op = "truncate"
)

// faults are what was asked for.
type faults struct {
	once   map[Op]*fault
	lying  bool
	budget int64 // bytes that may still be written; -1: any
	short  error // then
	limit  int64 // bytes on the disk; -1: any
	full   error // then
}

// fault makes the call after the next after calls fail.
type fault struct {
	after, times int
	err          error
}

func (f *faults) init() {
	*f = faults{once: map[Op]*fault{}, budget: -1, limit: -1}
}

// hit counts a call and returns its error.
func (f *faults) hit(op Op) error {
	w := f.once[op]
	if w == nil {
		return nil
	}
	if w.after > 0 {
		w.after--
		return nil
	}
	if w.times--; w.times == 0 {
		delete(f.once, op)
	}
	return w.err
}

// room returns how many of n bytes at off can be written.
func (f *faults) room(d *Disk, node *inode, off int64, n int) (int, error) {
	if f.budget >= 0 {
		if int64(n) > f.budget {
			n, f.budget = int(f.budget), 0
			return n, f.short
		}
		f.budget -= int64(n)
	}
	if f.limit >= 0 {
		more := off + int64(n) - int64(len(node.data))
		if free := f.limit - d.used(); more > max(free, 0) {
			return max(0, n-int(more-max(free, 0))), f.full
		}
	}
	return n, nil
}

// Fail makes calls of op fail with err: the first after calls are still done,
// the next times calls fail. A failed write writes nothing; after a failed
// Datasync what it should have made durable may be so or not, for good. times 0
// takes the fault back.
func (d *Disk) Fail(op Op, after, times int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if times <= 0 {
		delete(d.faults.once, op)
		return
	}
	d.faults.once[op] = &fault{after: after, times: times, err: err}
}

// FailAfter lets n more bytes be written, counted over all files, and makes
// writes fail with err then: the one that crosses the border writes what is
// before it. n < 0 takes that back.
func (d *Disk) FailAfter(n int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.budget, d.faults.short = max(n, -1), err
}

// Limit makes the disk n bytes large: writes that need more fail with err, as
// FailAfter, and work again when files are removed. n < 0 takes that back.
func (d *Disk) Limit(n int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.limit, d.faults.full = max(n, -1), err
}

// Lie makes the disk say yes to Datasync and SyncDir and do nothing, as one
// whose cache is not what it claims.
func (d *Disk) Lie(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.lying = on
}

// BadSector makes reads of the sector at off fail with EIO until it is written
// again.
func (d *Disk) BadSector(name string, off int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		n.bad[int(off/Sector)] = true
	}
}

// Flip changes the bits of mask in one byte, durably. It reports whether the
// file has that byte.
func (d *Disk) Flip(name string, off int64, mask byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil || off >= int64(len(n.data)) {
		return false
	}
	n.data[off] ^= mask
	n.settle()
	return true
}
