// Package diskfault is a disk in memory that fails on demand: a journal.FS for
// tests. It knows which bytes, sizes and names are durable, and Crash keeps
// those and a random part of the others, as a machine that loses power does:
//
//	per file   each 512-byte sector: durable, or one of the versions written since
//	           the size: durable, or one of those since
//	names      each creation and removal since the last SyncDir: done or not
//
// Everything is decided by the random source that Crash is given, so a seed
// repeats a run. A Disk may be used by many goroutines.
package diskfault

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"roost/server/inbox/journal"
)

// Sector is the unit in which a crash keeps or loses bytes.
const Sector = 512

// Disk is a directory on a disk that can fail. It implements journal.FS; Close
// leaves the disk as it is, to be opened again.
type Disk struct {
	mu      sync.Mutex // covers everything, files included
	names   map[string]*inode
	durable map[string]*inode
	changes []change
	mounts  int // counts crashes: files opened before are dead
	open    int // files
	peak    int // most files open at once
	faults  faults
}

// change is a name created or removed and not yet durable.
type change struct {
	name string
	node *inode // nil: removed
}

// inode is the contents of a file, which may have a name or not.
type inode struct {
	data []byte // as read

	size    int            // durable
	sectors map[int][]byte // durable contents that differ from data, nil for zeros
	sizes   []int          // since the last sync, oldest first
	dirty   map[int][][]byte
	limbo   map[int][][]byte // written, and the sync of it failed: no later one writes it
	limboSz []int
	bad     map[int]bool // sectors that cannot be read
}

// New returns an empty disk.
func New() *Disk {
	d := &Disk{names: map[string]*inode{}, durable: map[string]*inode{}}
	d.faults.init()
	return d
}

var _ journal.FS = (*Disk)(nil)

// List implements journal.FS.
func (d *Disk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.faults.hit(OpList); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(d.names)), nil
}

// Create implements journal.FS.
func (d *Disk) Create(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.faults.hit(OpCreate); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	n.settle()
	d.names[name] = n
	d.changes = append(d.changes, change{name, n})
	return d.opened(name, n), nil
}

// Open implements journal.FS.
func (d *Disk) Open(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.faults.hit(OpOpen); err != nil {
		return nil, err
	}
	n := d.names[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d.opened(name, n), nil
}

func (d *Disk) opened(name string, n *inode) journal.File {
	d.open++
	d.peak = max(d.peak, d.open)
	return &file{disk: d, name: name, node: n, mount: d.mounts}
}

// Remove implements journal.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.faults.hit(OpRemove); err != nil {
		return err
	}
	n := d.names[name]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.names, name)
	d.changes = append(d.changes, change{name, nil})
	return nil
}

// SyncDir implements journal.FS.
func (d *Disk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.faults.hit(OpSyncDir); err != nil {
		return err
	}
	if !d.faults.lying {
		d.durable = maps.Clone(d.names)
		d.changes = d.changes[:0]
	}
	return nil
}

// Close implements journal.FS. It fails if files are open.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != 0 {
		return fmt.Errorf("diskfault: %d files are open", d.open)
	}
	return nil
}

// Crash makes the disk what it would be after a loss of power. Open files are
// dead; faults that were asked for stay, but for those of single calls.
func (d *Disk) Crash(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mounts++
	d.open = 0
	d.faults.once = map[Op]*fault{}
	// How much gets through differs between crashes: none, all, or any part.
	share := [...]float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
	kept := maps.Clone(d.durable)
	for _, c := range d.changes {
		switch {
		case rng.Float64() >= share:
		case c.node == nil:
			delete(kept, c.name)
		default:
			kept[c.name] = c.node
		}
	}
	done := map[*inode]bool{}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if n := kept[name]; !done[n] {
			done[n] = true
			n.crash(rng, share)
		}
	}
	d.names, d.durable, d.changes = kept, maps.Clone(kept), nil
}

// Kill is what a killed process leaves: all that was written is there, synced
// or not, and its files are closed. A Crash may still take what was not synced.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mounts++
	d.open = 0
}

// Clone returns a disk with the same files, all durable, and no faults but bad
// sectors.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := New()
	for name, n := range d.names {
		m := &inode{data: slices.Clone(n.data), bad: maps.Clone(n.bad)}
		m.settle()
		c.names[name], c.durable[name] = m, m
	}
	return c
}

// Bytes returns a copy of what reading the file gives, bad sectors or not; nil
// if there is no such file.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return append([]byte{}, n.data...)
	}
	return nil
}

// Put makes a file with these bytes, durable, in place of any that is there.
func (d *Disk) Put(name string, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{data: slices.Clone(b)}
	n.settle()
	d.names[name], d.durable[name] = n, n
}

// Delete takes a file away, durably: somebody removed it.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
	delete(d.durable, name)
}

// Used returns the bytes of all files that have a name.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

func (d *Disk) used() (sum int64) {
	for _, n := range d.names {
		sum += int64(len(n.data))
	}
	return sum
}

// OpenFiles returns how many files are open, and how many were at most.
func (d *Disk) OpenFiles() (now, peak int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open, d.peak
}
