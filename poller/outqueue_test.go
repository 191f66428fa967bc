package poller

import (
	"bytes"
	"encoding/binary"
	"errors"
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

// queueTrial is a connection with its queue as the test knows it, and what its peer has read.
type queueTrial struct {
	t      *rapid.T
	l      *Loop
	h      Handle
	client *rawClient
	limits []Limits

	limit      uint8
	model      []waiting
	next       uint32   // number of the next frame
	promised   []uint32 // ids written or queued, in order
	lost       map[uint32]bool
	everWaited bool

	written, queued, refused, dropped int // frames, by what became of them

	stream []byte // read, and no whole frame yet
	seen   int    // of promised
}

// write writes frames at once, and compares the queue with the naive one.
func (q *queueTrial) write(class Class, frames, size int, shared bool) {
	if shared {
		frames = 1 // WriteShared counts one
	}
	w := waiting{class: class, frames: frames}
	var b []byte
	for range frames {
		b = append(b, frame(q.next, size)...)
		w.ids = append(w.ids, q.next)
		q.next++
	}
	w.bytes = len(b)
	var err error
	do(tb(q.t), q.l, func(l *Loop) {
		if err = q.writeOnLoop(w, b, shared); err == nil {
			err = errors.Join(q.compare(), l.check())
		}
	})
	if err != nil {
		q.t.Fatal(err)
	}
}

func (q *queueTrial) writeOnLoop(w waiting, b []byte, shared bool) error {
	c := q.l.Conn(q.h)
	q.forget(c)
	want, gone, wanted := []waiting(nil), []uint32(nil), Queued
	waited := len(q.model) > 0
	if waited {
		want, gone, wanted = naive(q.model, w, q.limits[q.limit])
	}
	size := len(b)
	var r Result
	switch {
	case shared:
		r = c.WriteShared(b, w.class)
	case w.frames > 1:
		r = c.WriteJoined(b, w.class, w.frames)
	default:
		r = c.Write(b, w.class)
		clear(b) // it is the writer's again
	}
	if !waited {
		var err error
		if want, wanted, err = q.alone(c, w, size, r); err != nil {
			return err
		}
	}
	if r != wanted {
		return fmt.Errorf("write %v: result %d, want %d; queue %v", w, r, wanted, q.model)
	}
	q.model = want
	for _, id := range gone {
		q.lost[id] = true
		q.dropped++
	}
	switch r {
	case Written:
		q.written += w.frames
	case Queued:
		q.queued += w.frames
	case Full:
		q.refused += w.frames
		return nil
	}
	q.promised = append(q.promised, w.ids...)
	return nil
}

// forget takes what the loop has sent meanwhile from the front of the model.
func (q *queueTrial) forget(c Conn) {
	s := c.get()
	if s.out == 0 {
		q.model = nil
		return
	}
	out := q.l.outs[s.out-1]
	if q.model = q.model[len(q.model)-len(out.items):]; out.off > 0 {
		q.model[0].begun = true
	}
}

// alone says what may become of a write with nothing before it: how much the socket takes nobody knows.
func (q *queueTrial) alone(c Conn, w waiting, size int, r Result) (want []waiting, wanted Result, err error) {
	lim := q.limits[q.limit]
	switch r {
	case Written:
		return nil, Written, nil
	case Full: // the socket is full and the bound smaller than the write
		if w.class == Control && size <= lim.ControlBytes || w.class != Control && size <= lim.Bytes && w.frames <= lim.Messages {
			return nil, 0, errors.New("refused by an empty queue")
		}
		return nil, Full, nil
	}
	it := q.l.outs[c.get().out-1].items[0] // begun, or behind a full socket
	if w.begun, w.bytes = it.begun, len(it.b); it.begun != (len(it.b) < size) {
		return nil, 0, errors.New("begun is wrong")
	}
	return []waiting{w}, Queued, nil
}

// compare holds the queue against the model.
func (q *queueTrial) compare() error {
	s := q.l.Conn(q.h).get()
	if s.out == 0 {
		return nil
	}
	q.everWaited = true
	var items []waiting
	for _, it := range q.l.outs[s.out-1].items {
		items = append(items, waiting{class: it.class, bytes: len(it.b), frames: int(it.frames)})
	}
	for i, it := range items {
		if i >= len(q.model) || it.class != q.model[i].class || it.bytes != q.model[i].bytes || it.frames != q.model[i].frames {
			return fmt.Errorf("queue %v, want %v", items, q.model)
		}
	}
	return nil
}

// read has the peer read, and holds the frames against what was promised.
func (q *queueTrial) read(n int) {
	ids, rest, err := parse(append(q.stream, q.client.readNow(n)...))
	if err != nil {
		q.t.Fatal(err)
	}
	for _, id := range ids {
		for q.lost[q.promised[q.seen]] {
			q.seen++
		}
		if q.promised[q.seen] != id {
			q.t.Fatalf("frame %d came, want %d", id, q.promised[q.seen])
		}
		q.seen++
	}
	q.stream = rest
}

// step does one thing of all that there are.
func (q *queueTrial) step() {
	t := q.t
	sizes := rapid.OneOf(rapid.IntRange(8, 300), rapid.IntRange(8, 12<<10), rapid.SampledFrom([]int{30 << 10}))
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op == 0:
		q.read(rapid.IntRange(1, 20<<10).Draw(t, "read"))
	case op == 1:
		q.limit = rapid.Uint8Range(0, uint8(len(q.limits)-1)).Draw(t, "limit")
		do(tb(t), q.l, func(l *Loop) { l.Conn(q.h).SetLimit(q.limit) })
	case op <= 4:
		q.write(Control, 1, rapid.IntRange(8, 250).Draw(t, "size"), false)
	case op <= 6:
		q.write(Reliable, rapid.IntRange(1, 3).Draw(t, "frames"), sizes.Draw(t, "size"), rapid.Bool().Draw(t, "shared"))
	default:
		q.write(Droppable, rapid.IntRange(1, 3).Draw(t, "frames"), sizes.Draw(t, "size"), rapid.Bool().Draw(t, "shared"))
	}
}

// readAll reads to the end: what was promised and not dropped has come.
func (q *queueTrial) readAll() {
	t, final := q.t, q.next
	await(tb(t), "the queue drains", func() bool { q.read(1 << 20); return waitingOf(tb(t), q.l, q.h) == 0 })
	q.write(Reliable, 1, 8, false)
	await(tb(t), "the last frame comes", func() bool { q.read(1 << 20); return q.seen > 0 && q.promised[q.seen-1] == final })
	for _, id := range q.promised[q.seen:] {
		if !q.lost[id] {
			t.Fatalf("frame %d was promised and did not come", id)
		}
	}
	if q.written+q.queued != len(q.promised) || len(q.lost) != q.dropped {
		t.Fatalf("written %d, queued %d, promised %d; lost %d, dropped %d", q.written, q.queued, len(q.promised), len(q.lost), q.dropped)
	}
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
		q := &queueTrial{t: t, l: l, h: h, client: client, limits: limits, next: 1, lost: map[uint32]bool{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			q.step()
		}
		q.readAll()
		after := p.Stats()
		if n := after.Overflow - before.Overflow; n != uint64(q.refused) {
			t.Fatalf("Overflow %d, want %d", n, q.refused)
		}
		if n := after.Dropped - before.Dropped; n != uint64(q.dropped) {
			t.Fatalf("Dropped %d, want %d", n, q.dropped)
		}
		do(tb(t), l, func(*Loop) {
			if n := drained[h]; (n > 0) != q.everWaited {
				t.Errorf("Drained was called %d times, output had to wait: %v", n, q.everWaited)
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
