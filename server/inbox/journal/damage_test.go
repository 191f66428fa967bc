package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// small makes a closed journal of a few segments and returns what is in it.
func small(t testing.TB, seed uint64, batches int) (*diskfault.Disk, journal.Options, []replayed) {
	d, rng := diskfault.New(), rand.New(rand.NewPCG(seed, 3))
	opt := options(d, seed)
	j, _, _ := open(t, opt)
	var all []replayed
	for i := range 3 {
		all = append(all, fill(t, j, rng, uint64(1+i*1000), batches, 3, true)...)
		if i < 2 {
			if err := j.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, j, d)
	return d, opt, all
}

// names returns the segments' files.
func names(d *diskfault.Disk) []string {
	names, _ := d.List()
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".log") })
}

// check opens a damaged disk twice: no record may be wrong, each loss has to be
// said, Scan and Read have to agree with replay, and what is there has to be
// there again the next time. It returns what the first Open said.
func check(t *testing.T, d *diskfault.Disk, opt journal.Options, want []replayed) journal.Recovery {
	t.Helper()
	opt.FS = d
	j, rec, got := open(t, opt)
	left := want
	for _, g := range got {
		i := slices.IndexFunc(left, func(w replayed) bool { return w.pos == g.pos })
		if i < 0 || !bytes.Equal(left[i].rec, g.rec) {
			t.Fatalf("wrong record at %v: %.20x", g.pos, g.rec)
		}
		left = left[i+1:]
	}
	if len(got) < len(want) && rec.Lost == 0 {
		t.Fatalf("%d of %d records, and nothing is said to be lost: %+v", len(got), len(want), rec)
	}
	if rec.Records != len(got) || (rec.Lost > 0) != (len(rec.Damages) > 0) {
		t.Fatalf("%d records: %+v", len(got), rec)
	}
	if s := diff(scanAll(t, j, 100), got); s != "" {
		t.Fatal("scan:", s)
	}
	readAll(t, j, got)
	more := fill(t, j, rand.New(rand.NewPCG(1, 1)), 9000, 2, 2, true)
	mustClose(t, j, d)
	j, _, again := open(t, opt)
	if s := diff(again, append(got, more...)); s != "" {
		t.Fatal("opened again:", s)
	}
	mustClose(t, j, d)
	return rec
}

// TestEveryByte flips each byte of a journal: after Close everything is stated,
// so that each loss is noticed, and none is larger than a record or the
// padding of one.
func TestEveryByte(t *testing.T) {
	d, opt, want := small(t, 1, 3)
	rng := rand.New(rand.NewPCG(7, 7))
	opened := 0
	for _, name := range names(d) {
		for off := int64(0); ; off++ {
			c := d.Clone()
			if !c.Flip(name, off, byte(1<<rng.IntN(8))) {
				break
			}
			if off > 100 && off < 4096 && off%64 != 0 {
				continue // zeros that nobody reads
			}
			opened++
			rec := check(t, c, opt, want)
			if missing := len(want) - rec.Records; missing > 1 {
				t.Fatalf("%s, byte %d: %d records are lost: %+v", name, off, missing, rec)
			}
		}
	}
	t.Log(opened, "flips")
}

// TestEverySector makes each sector unreadable in turn, and both headers.
func TestEverySector(t *testing.T) {
	d, opt, want := small(t, 2, 40)
	for _, name := range names(d) {
		for off := int64(0); off < int64(len(d.Bytes(name))); off += diskfault.Sector {
			c := d.Clone()
			c.BadSector(name, off)
			rec := check(t, c, opt, want)
			if missing := len(want) - rec.Records; missing > 60 {
				t.Fatalf("%s, sector at %d: %d records of %d are lost: %+v", name, off, missing, len(want), rec)
			}
		}
		c := d.Clone()
		c.BadSector(name, 0)
		c.BadSector(name, 4096)
		if rec := check(t, c, opt, want); rec.Lost != 1 {
			t.Fatalf("%s without headers: %+v", name, rec)
		}
		if rec := check(t, c, opt, everything(t, c, opt)); rec.Lost != 1 || c.Bytes(name) == nil {
			t.Fatalf("%s without headers is forgotten: %+v", name, rec)
		}
	}
}

// everything returns what a copy of the disk replays.
func everything(t *testing.T, d *diskfault.Disk, opt journal.Options) []replayed {
	c := d.Clone()
	opt.FS = c
	j, _, got := open(t, opt)
	mustClose(t, j, c)
	return got
}

// TestDamagedIsKept: a segment of which nothing could be read is no empty one,
// and not removed by the Open that says so.
func TestDamagedIsKept(t *testing.T) {
	d, opt, _ := small(t, 1, 1)
	last := names(d)[2]
	for off := int64(4096) + diskfault.Sector; off < int64(len(d.Bytes(last))); off += diskfault.Sector {
		d.BadSector(last, off)
	}
	d.BadSector(last, 4096)
	opt.FS = d
	j, rec, _ := open(t, opt)
	if mustClose(t, j, d); d.Bytes(last) == nil || rec.Lost != 1 {
		t.Fatalf("removed: %+v", rec)
	}
}

// TestRandomDamage does several things at once to larger journals.
func TestRandomDamage(t *testing.T) {
	for seed := range uint64(100) {
		d, opt, want := small(t, seed, 30)
		rng := rand.New(rand.NewPCG(seed, 4))
		files := names(d)
		for range 1 + rng.IntN(5) {
			name := files[rng.IntN(len(files))]
			b := d.Bytes(name)
			off := rng.IntN(len(b) + 1)
			switch rng.IntN(5) {
			case 0:
				d.BadSector(name, int64(off))
			case 1:
				d.Flip(name, int64(off), byte(1+rng.IntN(255)))
			case 2: // a run of zeros
				clear(b[off:min(len(b), off+rng.IntN(2000))])
				d.Put(name, b)
			case 3: // a run from another place, of which the checksums are good
				from := rng.IntN(len(b) + 1)
				copy(b[off:], b[from:min(len(b), from+2000)])
				if !damagedHeader(b) {
					d.Put(name, b)
				}
			case 4:
				if name != files[len(files)-1] { // the end of the last one is anyone's guess
					d.Put(name, b[:off])
				}
			}
		}
		if f := files[len(files)-1]; len(d.Bytes(f)) == 0 {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { checkLoose(t, d, opt, want) })
	}
}

// damagedHeader reports a file that would be refused as not ours.
func damagedHeader(b []byte) bool {
	return len(b) < 8 || string(b[:8]) != "roostlog"
}

// checkLoose is check for damage that may look like a torn end, or like a file
// of somebody else's.
func checkLoose(t *testing.T, d *diskfault.Disk, opt journal.Options, want []replayed) {
	opt.FS = d
	j, rec, got, err := tryOpen(opt)
	if err != nil {
		t.Skip(err)
	}
	mustClose(t, j, d)
	if len(got) < len(want) && rec.Lost == 0 && rec.TornBytes == 0 {
		t.Fatalf("%d of %d records, and nothing is said: %+v", len(got), len(want), rec)
	}
	check(t, d, opt, got)
}

// TestRefused: what Open does not touch, and says why.
func TestRefused(t *testing.T) {
	d, opt, _ := small(t, 5, 2)
	last := names(d)[2]
	header := d.Bytes(last)[:64]
	for name, tc := range map[string]struct {
		change func(d *diskfault.Disk)
		is     error
		says   string
	}{
		"newer":   {func(d *diskfault.Disk) { d.Put("0000000f.log", journal.HeaderOfVersion(header, 2)) }, journal.ErrVersion, "0000000f.log has format version 2, this program knows 1"},
		"alien":   {func(d *diskfault.Disk) { d.Put("0000000f.log", []byte("SQLite format 3")) }, nil, "0000000f.log has the name of a segment and is none"},
		"renamed": {func(d *diskfault.Disk) { d.Put("0000000f.log", header) }, nil, "0000000f.log is segment 00000003"},
		"another journal's": {func(d *diskfault.Disk) {
			o, opt, _ := small(t, 6, 1)
			j, _, _ := open(t, opt)
			mustClose(t, j, o)
			d.Put("00000004.log", o.Bytes("00000004.log"))
		}, nil, "00000004.log belongs to journal"},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.Clone()
			tc.change(d)
			before := names(d)
			opt.FS = d
			_, _, _, err := tryOpen(opt)
			if err == nil || !strings.Contains(err.Error(), tc.says) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("error %v, want %q", err, tc.says)
			}
			if now, _ := d.OpenFiles(); now != 0 || !slices.Equal(names(d), before) {
				t.Fatalf("%d files are open, %v became %v", now, before, names(d))
			}
		})
	}
}

// TestForeignFiles stay, and are no segments.
func TestForeignFiles(t *testing.T) {
	d, opt, want := small(t, 8, 2)
	foreign := []string{"lock", "notes.txt", "1.log", "0000000G.log", "0000000A.log", "00000000.log", "000000001.log", "00000001.log.bak"}
	for _, name := range foreign {
		d.Put(name, []byte("mine"))
	}
	if rec := check(t, d, opt, want); rec.Lost != 0 {
		t.Fatalf("%+v", rec)
	}
	for _, name := range foreign {
		if string(d.Bytes(name)) != "mine" {
			t.Errorf("%s is changed or gone", name)
		}
	}
}

// TestMissing: a segment that somebody removed is noticed in the middle, and
// one that is cut short.
func TestMissing(t *testing.T) {
	d, opt, want := small(t, 9, 5)
	files := names(d)
	c := d.Clone()
	c.Delete(files[1])
	if rec := check(t, c, opt, want); rec.Lost != 1 || rec.Records != len(want)*2/3 || rec.Damages[0].Pos.Segment() != 2 {
		t.Fatalf("the middle is missing: %+v", rec)
	}
	c = d.Clone()
	c.Delete(files[0]) // as after a drop
	if rec := check(t, c, opt, want[len(want)/3:]); rec.Lost != 0 {
		t.Fatalf("the oldest is missing: %+v", rec)
	}
	c = d.Clone()
	b := c.Bytes(files[1])
	c.Put(files[1], b[:len(b)-100])
	if rec := check(t, c, opt, want); rec.Lost != 1 || rec.Records >= len(want) {
		t.Fatalf("one is shorter: %+v", rec)
	}
}

// TestSalvage: of a batch with one damaged record all others are found; of one
// whose header is damaged, all.
func TestSalvage(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	want := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 3, 8, true)
	mustClose(t, j, d)
	hit := want[11]
	d.Flip("00000001.log", int64(hit.pos.Offset())+12, 1)
	d.Flip("00000001.log", int64(hit.pos.Offset())+4, 0x55) // its length as well
	rec := check(t, d.Clone(), opt, slices.Delete(slices.Clone(want), 11, 12))
	if rec.Lost != 1 || rec.Salvaged != 7 || rec.Batches != 2 {
		t.Fatalf("%+v", rec)
	}
	d.Flip("00000001.log", int64(want[16].pos.Offset())-32+9, 1)
	rec = check(t, d, opt, slices.Delete(slices.Clone(want), 11, 12))
	if rec.Salvaged != 15 || rec.Lost != 1 {
		t.Fatalf("%+v", rec)
	}
}

// TestCraftedPayload: a publisher knows the format and fills a record with
// batches and with lengths that are worth trying. Nothing of it is taken for
// anything, and it does not take long: without a limit to the search, seven
// million bytes would be hashed a million times.
func TestCraftedPayload(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	before := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 1, 1, true)
	other, _, _ := small(t, 77, 5)
	payload := bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0x70, 0}, 15<<17)
	stolen := other.Bytes("00000001.log")
	copy(payload[len(payload)/2:], stolen)
	rec := append([]byte{0, 0, 0, 0, 4, 0, 0, 0}, "mine"...) // as it is without a salt
	binary.LittleEndian.PutUint32(rec, crc32.Checksum(rec[4:], crc32.MakeTable(crc32.Castagnoli)))
	copy(payload[1<<20:], rec)
	var b journal.Batch
	if _, err := b.Add(payload); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	at := b.Pos(0)
	after := fill(t, j, rand.New(rand.NewPCG(1, 1)), 50, 1, 1, true)
	mustClose(t, j, d)
	name := fmt.Sprintf("%08x.log", at.Segment())
	d.Flip(name, int64(at.Offset())+100, 1)
	d.Flip(name, int64(at.Offset())-32+5, 1)
	if rec := check(t, d, opt, append(before, after...)); rec.Lost != 1 || rec.Records != 2 {
		t.Fatalf("%+v", rec)
	}
}

// TestUnreadableAndUnsynced: a place that cannot be read is damage, not the end
// of the log, also where nothing was synced. What follows it is there, and says
// that what is whole in it was in the log.
func TestUnreadableAndUnsynced(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	want := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 1, 60, false)
	d.BadSector("00000001.log", int64(want[30].pos.Offset()))
	alone := d.Clone()
	want = append(want, fill(t, j, rand.New(rand.NewPCG(2, 1)), 100, 1, 2, false)...)
	d.Kill()
	if rec := check(t, d, opt, want); rec.Lost != 1 || rec.Salvaged < 20 || rec.Batches != 1 {
		t.Fatalf("%+v", rec)
	}
	// With nothing behind it, it may have been a batch that failed.
	if rec := check(t, alone, opt, want); rec.Lost != 1 || rec.Records != 0 {
		t.Fatalf("%+v", rec)
	}
}
