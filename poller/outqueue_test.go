package poller

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// frame makes a frame that says its own length and number, so that a reader can
// tell whether the stream is whole: length, id, and bytes that follow from both.
func frame(id uint32, size int) []byte {
	b := make([]byte, max(size, 8))
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], id)
	for i := 8; i < len(b); i++ {
		b[i] = byte(i*7) ^ byte(id) ^ byte(id>>8)
	}
	return b
}

// parse splits a stream into frames and returns their ids, and the bytes of a
// frame that is not whole yet.
func parse(stream []byte) (ids []uint32, rest []byte, err error) {
	for len(stream) >= 8 {
		n, id := int(binary.LittleEndian.Uint32(stream)), binary.LittleEndian.Uint32(stream[4:])
		if n < 8 || n > 1<<24 {
			return ids, nil, fmt.Errorf("torn after frame %v: length %d", ids[max(0, len(ids)-1):], n)
		}
		if len(stream) < n {
			break
		}
		if !bytes.Equal(stream[:n], frame(id, n)) {
			return ids, nil, fmt.Errorf("frame %d of %d bytes is torn", id, n)
		}
		ids = append(ids, id)
		stream = stream[n:]
	}
	return ids, stream, nil
}

// waiting is an item of the queue as the test knows it.
type waiting struct {
	ids    []uint32
	class  Class
	bytes  int
	begun  bool
	frames int
}

// naive says what becomes of a write behind a queue that is not empty.
func naive(q []waiting, w waiting, lim Limits) (after []waiting, dropped []uint32, r Result) {
	room := func(q []waiting) bool {
		var messages, size, control, ctlBytes int
		for _, it := range q {
			if it.class == Control {
				control, ctlBytes = control+1, ctlBytes+it.bytes
			} else {
				messages, size = messages+it.frames, size+it.bytes
			}
		}
		if w.class == Control {
			return control+1 <= lim.Control && ctlBytes+w.bytes <= lim.ControlBytes
		}
		return messages+w.frames <= lim.Messages && size+w.bytes <= lim.Bytes
	}
	after = slices.Clone(q)
	for !room(after) {
		i := slices.IndexFunc(after, func(it waiting) bool { return it.class == Droppable && !it.begun })
		if w.class != Droppable || i < 0 {
			return q, nil, Full
		}
		dropped = append(dropped, after[i].ids...)
		after = slices.Delete(after, i, i+1)
	}
	return append(after, w), dropped, Queued
}

// TestOutQueueModel writes all classes to a peer that reads now and then, and
// compares the queue with the naive one after each write, and the stream with
// what was promised at the end.
func TestOutQueueModel(t *testing.T) {
	limits := []Limits{
		{Messages: 6, Bytes: 24 << 10, Control: 3, ControlBytes: 600},
		{Messages: 40, Bytes: 9 << 10, Control: 1, ControlBytes: 200},
		{Messages: 2, Bytes: 64 << 10, Control: 8, ControlBytes: 4000},
	}
	opened := make(chan Handle, 1)
	drained := map[Handle]int{}
	p := start(t, Options{SendBuffer: 4 << 10, NotSentLowat: 4 << 10, Limits: limits}, &script{
		open:    func(c Conn) { opened <- c.Handle() },
		drained: func(c Conn) { drained[c.Handle()]++ },
	})
	l := p.Loops()[0]
	rapid.Check(t, func(t *rapid.T) {
		client, h := dialConnRapid(t, p, opened)
		defer client.close()
		before := p.Stats()
		var (
			stream                []byte
			model                 []waiting
			promised              []uint32 // ids written or queued, in order
			lost                  = map[uint32]bool{}
			next                  = uint32(1)
			refused, dropped      int
			limit                 uint8
			everWaited            bool
			written, queued, seen int
		)
		lim := func() Limits { return limits[limit] }
		write := func(class Class, frames, size int, shared bool) {
			if shared {
				frames = 1 // WriteShared counts one
			}
			w := waiting{class: class, frames: frames}
			var b []byte
			for range frames {
				b = append(b, frame(next, size)...)
				w.ids = append(w.ids, next)
				next++
			}
			w.bytes = len(b)
			var failure string
			do(tb(t), l, func(l *Loop) {
				c := l.Conn(h)
				s := c.get()
				// What the loop has sent meanwhile is gone from the front.
				have := 0
				if s.out != 0 {
					q := l.outs[s.out-1]
					have = len(q.items)
					if model = model[len(model)-have:]; q.off > 0 {
						model[0].begun = true
					}
				}
				model = model[len(model)-have:]
				var want []waiting
				var gone []uint32
				wantResult := Queued
				if have > 0 {
					want, gone, wantResult = naive(model, w, lim())
				}
				var r Result
				switch {
				case shared:
					r = c.WriteShared(b, class)
				case frames > 1:
					r = c.WriteJoined(b, class, frames)
				default:
					r = c.Write(b, class)
					clear(b) // it is the writer's again
				}
				if have == 0 {
					switch r {
					case Queued: // begun, or a full socket with an empty queue
						it := l.outs[s.out-1].items[0]
						w.begun, w.bytes = it.begun, len(it.b)
						want = []waiting{w}
						if it.begun != (len(it.b) < len(b)) {
							failure = "begun is wrong"
						}
					case Full: // the socket is full and the bound smaller than the write
						if (class == Control && len(b) <= lim().ControlBytes) || (class != Control && len(b) <= lim().Bytes && frames <= lim().Messages) {
							failure = "refused by an empty queue"
						}
						wantResult = Full
					case Written:
						wantResult = Written
					}
				}
				if r != wantResult && failure == "" {
					failure = fmt.Sprintf("write %v: result %d, want %d; queue %v", w, r, wantResult, model)
				}
				model = want
				for _, id := range gone {
					lost[id] = true
					dropped++
				}
				switch r {
				case Written:
					written += frames
				case Queued:
					queued += frames
				case Full:
					refused += frames
				}
				if r == Written || r == Queued {
					promised = append(promised, w.ids...)
				}
				if s.out != 0 {
					everWaited = true
					var items []waiting
					for _, it := range l.outs[s.out-1].items {
						items = append(items, waiting{class: it.class, bytes: len(it.b), frames: int(it.frames)})
					}
					for i, it := range items {
						if i >= len(model) || it.class != model[i].class || it.bytes != model[i].bytes || it.frames != model[i].frames {
							failure = fmt.Sprintf("queue %v, want %v", items, model)
							break
						}
					}
				}
				if err := l.check(); err != nil && failure == "" {
					failure = err.Error()
				}
			})
			if failure != "" {
				t.Fatal(failure)
			}
		}
		read := func(n int) {
			stream = append(stream, client.readNow(n)...)
			ids, rest, err := parse(stream)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				for lost[promised[seen]] {
					seen++
				}
				if promised[seen] != id {
					t.Fatalf("frame %d came, want %d", id, promised[seen])
				}
				seen++
			}
			stream = rest
		}
		sizes := rapid.OneOf(rapid.IntRange(8, 300), rapid.IntRange(8, 12<<10), rapid.SampledFrom([]int{30 << 10}))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op == 0:
				read(rapid.IntRange(1, 20<<10).Draw(t, "read"))
			case op == 1:
				limit = rapid.Uint8Range(0, uint8(len(limits)-1)).Draw(t, "limit")
				do(tb(t), l, func(l *Loop) { l.Conn(h).SetLimit(limit) })
			case op <= 4:
				write(Control, 1, rapid.IntRange(8, 250).Draw(t, "size"), false)
			case op <= 6:
				write(Reliable, rapid.IntRange(1, 3).Draw(t, "frames"), sizes.Draw(t, "size"), rapid.Bool().Draw(t, "shared"))
			default:
				write(Droppable, rapid.IntRange(1, 3).Draw(t, "frames"), sizes.Draw(t, "size"), rapid.Bool().Draw(t, "shared"))
			}
		}
		final := next
		await(tb(t), "the queue drains", func() bool { read(1 << 20); return waitingOf(tb(t), l, h) == 0 })
		write(Reliable, 1, 8, false)
		await(tb(t), "the last frame comes", func() bool { read(1 << 20); return seen > 0 && promised[seen-1] == final })
		for _, id := range promised[seen:] {
			if !lost[id] {
				t.Fatalf("frame %d was promised and did not come", id)
			}
		}
		after := p.Stats()
		if n := after.Overflow - before.Overflow; n != uint64(refused) {
			t.Fatalf("Overflow %d, want %d", n, refused)
		}
		if n := after.Dropped - before.Dropped; n != uint64(dropped) {
			t.Fatalf("Dropped %d, want %d", n, dropped)
		}
		if written+queued != len(promised) || len(lost) != dropped {
			t.Fatalf("written %d, queued %d, promised %d; lost %d, dropped %d", written, queued, len(promised), len(lost), dropped)
		}
		do(tb(t), l, func(*Loop) {
			if n := drained[h]; (n > 0) != everWaited {
				t.Errorf("Drained was called %d times, output had to wait: %v", n, everWaited)
			}
			delete(drained, h)
		})
		client.close()
		await(tb(t), "closed", func() bool { return p.Conns() == 0 })
	})
}

// TestBegunFrameIsNotDropped: the first item of a queue may be the rest of a
// frame whose head the kernel has. It once was dropped for newer ones.
func TestBegunFrameIsNotDropped(t *testing.T) {
	opened := make(chan Handle, 1)
	p := start(t, Options{SendBuffer: 4 << 10, Limits: []Limits{{Messages: 2, Bytes: 1 << 20}}},
		&script{open: func(c Conn) { opened <- c.Handle() }})
	client, h := dialConn(t, p, 4<<10, opened)
	defer client.close()
	const size = 300 << 10
	var results []Result
	do(t, p.Loops()[0], func(l *Loop) {
		for id := uint32(1); id <= 6; id++ {
			results = append(results, l.Conn(h).Write(frame(id, size), Droppable))
		}
	})
	var ids []uint32
	stream := readFull(t, client, 2*size) // two fit the queue: the begun one and the last
	ids, rest, err := parse(stream)
	if err != nil || len(rest) != 0 || !slices.Equal(ids, []uint32{1, 6}) {
		t.Errorf("frames %v came, rest %d, %v; results %v", ids, len(rest), err, results)
	}
}

// TestMakeRoomDropsNothingInVain: a droppable write that cannot get room by
// dropping leaves what waits alone.
func TestMakeRoomDropsNothingInVain(t *testing.T) {
	opened := make(chan Handle, 1)
	p := start(t, Options{SendBuffer: 4 << 10, Limits: []Limits{{Messages: 8, Bytes: 400 << 10}}},
		&script{open: func(c Conn) { opened <- c.Handle() }})
	client, h := dialConn(t, p, 4<<10, opened)
	defer client.close()
	do(t, p.Loops()[0], func(l *Loop) {
		c := l.Conn(h)
		c.Write(frame(1, 300<<10), Reliable) // begun; the rest waits
		left := 400<<10 - c.Waiting()
		if r := c.Write(frame(2, left-1000), Droppable); r != Queued {
			t.Fatalf("droppable: %d", r)
		}
		if r := c.Write(frame(3, 399<<10), Droppable); r != Full {
			t.Errorf("a write that cannot fit: %d", r)
		}
		if r := c.Write(frame(4, 1<<20), Droppable); r != Full {
			t.Errorf("a write beyond the bound: %d", r)
		}
		if n := p.Stats().Dropped; n != 0 {
			t.Errorf("%d frames dropped in vain", n)
		}
	})
}

func waitingOf(t testing.TB, l *Loop, h Handle) (n int) {
	do(t, l, func(l *Loop) { n = l.Conn(h).Waiting() })
	return n
}

// rapidTB lets helpers for tests serve in rapid's properties.
type rapidTB struct {
	testing.TB
	r *rapid.T
}

func tb(r *rapid.T) testing.TB                 { return rapidTB{r: r} }
func (t rapidTB) Helper()                      {}
func (t rapidTB) Errorf(f string, args ...any) { t.r.Errorf(f, args...) }
func (t rapidTB) Error(args ...any)            { t.r.Error(args...) }
func (t rapidTB) Fatalf(f string, args ...any) { t.r.Fatalf(f, args...) }
func (t rapidTB) Fatal(args ...any)            { t.r.Fatal(args...) }
func (t rapidTB) Logf(f string, args ...any)   { t.r.Logf(f, args...) }

func dialConnRapid(t *rapid.T, p *Poller, opened <-chan Handle) (*rawClient, Handle) {
	return dialConn(tb(t), p, 4<<10, opened)
}
