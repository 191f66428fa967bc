package inbox

import (
	"fmt"
	"testing"
	"time"

	"roost/server/inbox/journal"
)

// commit stores operations and waits for them.
func commit(t testing.TB, s Store, ops ...Op) *Commit {
	t.Helper()
	done := make(chan struct{})
	c := &Commit{Ops: ops, Done: func(*Commit) { close(done) }}
	s.Commit(c)
	<-done
	return c
}

func openFile(t testing.TB, dir string, opt FileOptions) (*File, journal.Recovery) {
	t.Helper()
	fs, err := journal.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	opt.FS = fs
	f, rec, err := OpenFile(opt)
	if err != nil {
		t.Fatal(err)
	}
	return f, rec
}

// TestFileSurvives opens a store again after a close and after none.
func TestFileSurvives(t *testing.T) {
	dir := t.TempDir()
	f, _ := openFile(t, dir, FileOptions{})
	o, err := f.Open([]byte("d1"), Resume{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		m := &Message{TTL: 60, ID: fmt.Appendf(nil, "m%d", i), Payload: fmt.Appendf(nil, "%d", i)}
		p := &Put{Device: "d1", Message: m}
		if c := commit(t, f, p); c.Err != nil || p.Verdict != Stored || p.Seq != uint64(i+1) {
			t.Fatalf("%+v, %v", p, c.Err)
		}
	}
	sub := &Subscription{Ref: o.Ref, Topic: "fw", On: true}
	commit(t, f, sub)
	spread := &Spread{Topic: "fw", Message: &Message{TTL: 60, Channel: []byte("fw"), Payload: []byte("all")}}
	commit(t, f, spread)
	commit(t, f, &Latest{Topic: "t", Message: &Message{TTL: 60, Payload: []byte("last")}})
	f.Ack(o.Ref, o.Fence, 4)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	f, rec := openFile(t, dir, FileOptions{})
	defer f.Close()
	if rec.Lost != 0 {
		t.Errorf("%+v", rec)
	}
	again, err := f.Open([]byte("d1"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 3})
	if err != nil || again.Epoch != o.Epoch || again.Acked != 4 || again.Last != 11 || again.From != 5 {
		t.Errorf("%+v, %v", again, err)
	}
	q := &Fetch{Ref: again.Ref, Fence: again.Fence, From: 5, Max: 32, Bytes: 1 << 20}
	f.Fetch(q)
	if len(q.Items) != 7 || q.Err != nil {
		t.Fatalf("%+v", q)
	}
	for i, it := range q.Items {
		want := fmt.Sprint(i + 4)
		if i == 6 {
			want = "all"
		}
		if it.Seq != uint64(i+5) || string(it.Message.Payload) != want {
			t.Errorf("%d: %d %q", i, it.Seq, it.Message.Payload)
		}
	}
	dup := &Put{Device: "d1", Message: &Message{TTL: 60, ID: []byte("m7"), Payload: []byte("x")}}
	if commit(t, f, dup); dup.Verdict != Duplicate || dup.Seq != 8 {
		t.Errorf("%+v", dup)
	}
	if m, ok := f.LatestOf([]byte("t")); !ok || string(m.Payload) != "last" {
		t.Errorf("latest: %+v %v", m, ok)
	}
	if info, _ := f.Lookup([]byte("d1")); len(info.Topics) != 1 || info.Messages != 7 {
		t.Errorf("%+v", info)
	}
	if p := f.Check(); len(p) > 0 {
		t.Error(p)
	}
}

// TestFileIsBounded publishes and acknowledges many times what the log may hold,
// with a device that never acknowledges among those that do: its messages and
// everybody's state are copied forward, the rest is dropped.
func TestFileIsBounded(t *testing.T) {
	dir := t.TempDir()
	opt := FileOptions{SegmentBytes: 64 << 10}
	f, _ := openFile(t, dir, opt)
	devices := map[string]Opened{}
	for i := range 50 {
		id := fmt.Sprintf("d%d", i)
		devices[id], _ = f.Open([]byte(id), Resume{})
	}
	commit(t, f, &Subscription{Ref: devices["d7"].Ref, Topic: "fw", On: true})
	commit(t, f, &Latest{Topic: "fw", Message: &Message{TTL: 3600, Payload: []byte("v")}})
	commit(t, f, &Put{Device: "d0", Message: &Message{TTL: 3600, ID: []byte("k"), Payload: []byte("stays")}})
	payload := make([]byte, 200)
	for round := range 60 {
		var ops []Op
		for i := 1; i < 50; i++ {
			ops = append(ops, &Put{Device: fmt.Sprintf("d%d", i), Message: &Message{TTL: 60, ID: fmt.Appendf(nil, "r%d", round), Payload: payload}})
		}
		ops = append(ops, &Spread{Message: &Message{TTL: 60, Payload: payload}})
		commit(t, f, ops...)
		for i := 1; i < 50; i++ {
			o := devices[fmt.Sprintf("d%d", i)]
			last, _ := f.Last(o.Ref, o.Fence)
			f.Ack(o.Ref, o.Fence, last)
		}
		f.Tick()
	}
	for end := time.Now().Add(10 * time.Second); f.Counts().Disk > 600<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes on disk", f.Counts().Disk)
		}
		f.Tick()
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, rec := openFile(t, dir, opt)
	defer f.Close()
	if rec.Lost != 0 || len(f.Check()) > 0 {
		t.Errorf("%+v %v", rec, f.Check())
	}
	for id, o := range devices {
		last, acked := uint64(120), uint64(120)
		if id == "d0" {
			last, acked = 61, 0
		}
		if i, ok := f.Lookup([]byte(id)); !ok || i.Epoch != o.Epoch || i.Last != last || i.Acked != acked || (id == "d7") != (len(i.Topics) == 1) {
			t.Errorf("%s: %+v %v", id, i, ok)
		}
	}
	dup := &Put{Device: "d9", Message: &Message{TTL: 60, ID: []byte("r3"), Payload: payload}}
	if commit(t, f, dup); dup.Verdict != Duplicate || dup.Seq != 7 {
		t.Errorf("%+v", dup)
	}
	if _, ok := f.LatestOf([]byte("fw")); !ok {
		t.Error("the latest value is gone")
	}
	q := &Fetch{Ref: 1, From: 1, Max: 100, Bytes: 1 << 20}
	o, _ := f.Open([]byte("d0"), Resume{})
	q.Ref, q.Fence = o.Ref, o.Fence
	if f.Fetch(q); len(q.Items) != 61 || string(q.Items[0].Message.Payload) != "stays" {
		t.Errorf("%d items, %v", len(q.Items), q.Err)
	}
}

// BenchmarkRecover charges opening a store of 100,000 devices with 10 messages
// each.
func BenchmarkRecover(b *testing.B) {
	dir := b.TempDir()
	f, _ := openFile(b, dir, FileOptions{})
	for i := range 100_000 {
		f.Open(fmt.Appendf(nil, "device-%07d", i), Resume{})
	}
	payload := make([]byte, 128)
	for round := range 10 {
		for at := 0; at < 100_000; at += 5000 {
			var ops []Op
			for i := at; i < at+5000; i++ {
				ops = append(ops, &Put{Device: fmt.Sprintf("device-%07d", i), Message: &Message{TTL: 3600, ID: fmt.Appendf(nil, "m%d-%d", round, i), Payload: payload}})
			}
			if c := commit(b, f, ops...); c.Err != nil {
				b.Fatal(c.Err)
			}
		}
	}
	f.Close()
	for b.Loop() {
		f, rec := openFile(b, dir, FileOptions{})
		if f.Counts().InFlight != 1_000_000 {
			b.Fatalf("%+v", rec)
		}
		f.Close()
	}
}
