package delivery_test

import (
	"syscall"

	"roost/server/inbox/journal/diskfault"
)

// harm makes something go wrong with the disk.
func (d *crashDisk) harm(s *sim) {
	// After a lie one crash only: a device that was not there between two would have
	// to be known by what it says, and the store remembers no further back than the
	// last.
	if s.crashes && s.rng.IntN(3) == 0 && (d.lies || !d.lied) {
		d.left = 1 + s.rng.IntN(30) // at whatever step that is
		s.note("the machine will crash in %d calls", d.left)
		return
	}
	what := s.rng.IntN(6)
	s.note("the disk has fault %d", what)
	switch what {
	case 0:
		d.Limit(d.Used()+int64(s.rng.IntN(4<<10)), syscall.ENOSPC)
	case 1:
		d.FailAfter(int64(s.rng.IntN(4<<10)), syscall.EIO)
	case 2:
		d.Fail(diskfault.OpDatasync, s.rng.IntN(3), 1+s.rng.IntN(3), syscall.EIO)
	case 3:
		d.Fail(diskfault.OpWritten, s.rng.IntN(3), 1+s.rng.IntN(2), syscall.EIO)
	case 4:
		d.unreadable = true
		d.badReads = 1 + s.rng.IntN(6)
	case 5:
		d.heal()
	}
}

// heal ends all faults but those that lie ahead.
func (d *crashDisk) heal() {
	d.Limit(-1, nil)
	d.FailAfter(-1, nil)
	for _, op := range []diskfault.Op{diskfault.OpDatasync, diskfault.OpWritten} {
		d.Fail(op, 0, 0, nil)
	}
	d.left, d.badReads = 0, 0
}
