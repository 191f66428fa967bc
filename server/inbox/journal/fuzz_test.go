package journal_test

import (
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// FuzzOpen gives Open any bytes as the middle one of three segments and as the
// last. It must end, without a panic; Scan and Read must agree with replay, and
// so must the next Open.
func FuzzOpen(f *testing.F) {
	d, opt, _ := small(f, 1, 3)
	files := names(d)
	f.Add(d.Bytes(files[1]), true)
	f.Add(d.Bytes(files[2]), false)
	f.Add([]byte("roostlog"), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, middle bool) {
		c := d.Clone()
		name := files[2]
		if middle {
			name = files[1]
		}
		c.Put(name, b)
		opt := opt
		opt.FS = c
		j, _, got, err := tryOpen(opt)
		if err != nil {
			return
		}
		if s := diff(scanAll(t, j, 500), got); s != "" {
			t.Fatal("scan:", s)
		}
		readAll(t, j, got)
		mustClose(t, j, c)
		j, _, again := open(t, opt)
		if s := diff(again, got); s != "" {
			t.Fatal("opened again:", s)
		}
		mustClose(t, j, c)
	})
}

var _ journal.FS = (*diskfault.Disk)(nil)
