package delivery_test

import (
	"math/rand/v2"
	"os"
	"syscall"

	"roost/server/inbox"
	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// storeKind is one of the stores that keep the contract.
type storeKind struct {
	name     string
	survives bool // a crash of the process and of the machine
	open     func(w *world) inbox.Store
	// stepSoon makes an event of the store's own work, if there is any.
	stepSoon func(w *world)
}

var memory = &storeKind{
	name:     "memory",
	open:     func(w *world) inbox.Store { return inbox.NewMemory(w.opt.limits, w.clock) },
	stepSoon: func(*world) {},
}

var file = &storeKind{
	name:     "file",
	survives: true,
	open:     openFile,
	stepSoon: func(w *world) {
		f := w.store.Store.(*inbox.File)
		w.soon("the store works", func() {
			if w.store.Store == f {
				w.store.during(func() { f.Step() })
			}
		})
	},
}

var storeKinds = []*storeKind{memory, file}

// openFile opens the store on the world's disk.
func openFile(w *world) inbox.Store {
	f, recovery, err := inbox.OpenFile(inbox.FileOptions{
		FS: w.disk, Limits: w.opt.limits, Now: w.clock, SegmentBytes: 16 << 10, Manual: true, Random: w.rng.Uint64,
	})
	if err != nil {
		w.fatal("open the store: %v", err)
	}
	if recovery.Lost > 0 && !w.disk.lied {
		w.fatal("%d places were lost on an honest disk: %+v", recovery.Lost, recovery)
	}
	return f
}

// watched is a store whose every answer the ledger checks.
type watched struct {
	inbox.Store
	w *world

	// Commits that are done and whose publishers have not heard of it: all of a
	// batch show in the store before the first of them is told.
	working, telling bool
	done             []told
}

// told is a commit that is done.
type told struct {
	c    *inbox.Commit
	done func(*inbox.Commit)
}

// during has the store work and then tells the publishers, in the order of the
// commits.
func (s *watched) during(work func()) {
	first := len(s.done)
	func() {
		defer func() {
			s.w.ledger.batch++
			for _, v := range s.done[first:] {
				s.w.ledger.committed(v.c)
			}
			s.working = false
		}()
		s.working = true
		work()
	}()
	if s.telling {
		return // whoever tells goes on with these
	}
	s.telling = true
	for len(s.done) > 0 {
		v := s.done[0]
		s.w.yield()
		s.done = s.done[1:]
		v.done(v.c)
	}
	s.telling = false
}

func (s *watched) Open(id []byte, r inbox.Resume) (inbox.Opened, error) {
	before := s.w.ledger.accounts[string(id)]
	o, err := s.Store.Open(id, r)
	s.w.ledger.opened(before, string(id), r, o, err)
	s.w.yield()
	return o, err
}

func (s *watched) Last(ref inbox.Ref, fence uint32) (last, acked uint64) {
	last, acked = s.Store.Last(ref, fence)
	s.w.yield()
	return last, acked
}

func (s *watched) IsNext(ref inbox.Ref, fence uint32, seq uint64, body inbox.Body) bool {
	is := s.Store.IsNext(ref, fence, seq, body)
	s.w.yield()
	return is
}

func (s *watched) Ack(ref inbox.Ref, fence uint32, seq uint64) bool {
	counted := s.Store.Ack(ref, fence, seq)
	s.w.ledger.ack(ref, fence, seq)
	s.w.yield()
	return counted
}

func (s *watched) Fetch(f *inbox.Fetch) {
	s.Store.Fetch(f)
	if f.Err != nil {
		s.w.note("fetch from %d: %v", f.From, f.Err)
	}
	s.w.ledger.fetched(f)
	s.w.yield()
}

func (s *watched) Commit(c *inbox.Commit) {
	done := c.Done
	c.Done = func(c *inbox.Commit) {
		if !s.working {
			s.w.fatal("a commit is done and nobody was at work")
		}
		s.done = append(s.done, told{c, done})
	}
	s.w.ledger.submitted(c)
	s.during(func() { s.Store.Commit(c) })
	s.w.kind.stepSoon(s.w)
}

// crashDisk is the disk of a File: it counts calls, and one of them is the last
// of the machine.
type crashDisk struct {
	*diskfault.Disk
	w          *world
	left       int  // calls until the crash; 0: none
	lies, lied bool // until the last crash, ever

	badReads   int  // that many reads will fail
	peeking    bool // but not those of the ledger
	unreadable bool // reads have failed: what the store then gives up is gone
	calls      int
}

func newCrashDisk(w *world) *crashDisk { return &crashDisk{Disk: diskfault.New(), w: w} }

// crashed is the panic that ends everything that was under way.
type crashed struct{}

// call counts a call of the disk.
func (d *crashDisk) call() {
	d.calls++
	if d.left > 0 {
		if d.left--; d.left == 0 {
			panic(crashed{})
		}
	}
}

func (d *crashDisk) Create(name string) (journal.File, error) {
	d.call()
	f, err := d.Disk.Create(name)
	d.call()
	return d.file(f), err
}

func (d *crashDisk) Open(name string) (journal.File, error) {
	f, err := d.Disk.Open(name)
	return d.file(f), err
}

func (d *crashDisk) file(f journal.File) journal.File {
	if f == nil {
		return nil
	}
	return &crashFile{f, d}
}

func (d *crashDisk) Remove(name string) error {
	d.call()
	return d.Disk.Remove(name)
}

func (d *crashDisk) SyncDir() error {
	d.call()
	err := d.Disk.SyncDir()
	d.call()
	return err
}

type crashFile struct {
	journal.File
	d *crashDisk
}

func (f *crashFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.call()
	n, err := f.File.WriteAt(p, off)
	f.d.call()
	return n, err
}

func (f *crashFile) ReadAt(p []byte, off int64) (int, error) {
	if f.d.badReads > 0 && !f.d.peeking {
		f.d.badReads--
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

func (f *crashFile) Datasync() error {
	f.d.call()
	err := f.File.Datasync()
	f.d.call()
	return err
}

func (f *crashFile) Truncate(n int64) error {
	f.d.call()
	return f.File.Truncate(n)
}

// crashes runs something and reports whether the machine crashed in it.
func (w *world) crashes(f func()) (yes bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, yes = p.(crashed); !yes {
				w.note("panic: %v", p)
				for _, line := range w.trace {
					os.Stderr.WriteString(line + "\n")
				}
				panic(p)
			}
		}
	}()
	f()
	return false
}

// crash is the end of the machine and its start on what the disk has kept. What
// is on its way to devices arrives or not.
func (w *world) crash() {
	w.note("CRASH")
	w.dead, w.depth = true, 0
	for _, c := range w.conns {
		if c.over && c.gone {
			continue
		}
		c.over = true
		c.cut = c.cut || w.rng.IntN(2) == 0
		d := c.dev
		w.at(w.later(c), c.dev.id+" notices", func() {
			c.gone = true
			if d.conn == c {
				d.conn, d.welcome = nil, false
			}
		})
	}
	for _, l := range w.lanes {
		l.dead, l.tasks = true, nil
	}
	w.disk.heal() // a node does not start on a full disk
	w.disk.Disk.Crash(rand.New(rand.NewPCG(w.rng.Uint64(), 2)))
	w.disk.Lie(false)
	for !w.restarted() {
		w.note("CRASH at the start")
		w.disk.left = 0
		w.disk.Disk.Crash(rand.New(rand.NewPCG(w.rng.Uint64(), 2)))
	}
	w.waits = nil
	w.ledger.restarted()
}

// restarted starts the node; it reports false if the machine crashed again.
func (w *world) restarted() bool {
	if w.chance(4) {
		w.disk.left = 1 + w.rng.IntN(20)
	}
	ok := !w.crashes(w.start)
	w.disk.left = 0
	return ok
}
