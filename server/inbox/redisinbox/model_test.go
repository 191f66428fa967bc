package redisinbox

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestAgainstModel has two nodes on one Redis do what nodes do, at random, beside slices
// and maps: sessions that move, late words of old ones, repetitions, expiry, removals,
// and a Redis that is killed and comes back, with nothing lost.
func TestAgainstModel(t *testing.T) {
	server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always") // with everysec a kill -9 now and then takes a write along
	rapid.Check(t, func(r *rapid.T) {
		server.Text("FLUSHALL")
		clock := newClock()
		limits := func(o *Options) {
			o.Limits.Messages, o.Limits.Bytes, o.FlushEvery = 12, 300, time.Hour
		}
		w := &world{server: server, clock: clock, devices: map[string]*mDevice{}, keys: map[string]mKey{}}
		for range 2 {
			n := start(t, server, clock, limits)
			w.nodes = append(w.nodes, n)
			defer n.Close()
		}
		r.Repeat(map[string]func(*rapid.T){
			"put": w.put, "put2": w.put, "put3": w.put, "open": w.open, "ack": w.ack, "fetch": w.fetch, "fetch2": w.fetch,
			"leave": w.leave, "remove": w.remove, "time": w.time, "restart": w.restart, "lookup": w.lookup, "spread": w.spread,
		})
		for _, n := range w.nodes {
			if problems := n.Check(); len(problems) > 0 {
				r.Fatalf("%v", problems)
			}
		}
	})
}

type world struct {
	server   *testredis.Server
	clock    *testClock
	nodes    []*node
	devices  map[string]*mDevice
	keys     map[string]mKey // by device and id
	next     int
	lives    int
	restarts int
}

// mDevice is what a device's stream has to be.
type mDevice struct {
	life   int
	epoch  inbox.Epoch
	acked  uint64
	msgs   []mMessage // acked+1 and so on
	at     int        // node of the last session, -1 for none
	opened inbox.Opened
	old    []mSession // sessions that were overtaken or left
}

type mSession struct {
	at     int
	opened inbox.Opened
}

type mMessage struct {
	payload string
	size    int
	expires int64
}

type mKey struct {
	seq     uint64
	expires int64
	life    int // the device that had it; another one of the name has not
}

func (d *mDevice) last() uint64 { return d.acked + uint64(len(d.msgs)) }

// end is the end of a session as the model's device sees it.
func (d *mDevice) end() {
	if d.at >= 0 {
		d.old = append(d.old, mSession{d.at, d.opened})
		d.at = -1
	}
}

func (d *mDevice) ack(seq uint64) {
	if seq > d.acked && seq <= d.last() {
		d.msgs = slices.Clone(d.msgs[seq-d.acked:])
		d.acked = seq
	}
}

// room reports whether size more bytes have a place.
func (d *mDevice) room(now int64, size int) bool {
	places, bytes := 0, 0
	for i, m := range d.msgs {
		if m.expires > now {
			if places == 0 {
				places = len(d.msgs) - i
			}
			bytes += m.size
		}
	}
	return places < 12 && bytes+size <= 300
}

func (w *world) now() int64 { return w.clock.now().Unix() }

func (w *world) node(t *rapid.T) *node { return w.nodes[rapid.IntRange(0, 1).Draw(t, "node")] }

var someID = rapid.SampledFrom([]string{"a", "b", "c"})

func (w *world) put(t *rapid.T) {
	id, key := someID.Draw(t, "id"), rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(t, "key")
	ttl := rapid.SampledFrom([]uint32{1, 5, 60, 3600}).Draw(t, "ttl")
	w.next++
	p := message(id, key, fmt.Sprintf("%0*d", rapid.SampledFrom([]int{1, 10, 40}).Draw(t, "size"), w.next), ttl)
	w.flushed() // what was acknowledged elsewhere makes room when it is written
	n := w.node(t)
	if err := n.do(p); err != nil {
		t.Fatal(err)
	}
	w.stored(t, p)
}

// stored compares what came of a put.
func (w *world) stored(t *rapid.T, p *inbox.Put) {
	d, k := w.devices[p.Device], p.Device+" "+string(p.Message.ID)
	size := p.Message.ContentSize()
	want, seq := inbox.Unknown, uint64(0)
	if d != nil {
		want = inbox.Stored
		if first, ok := w.keys[k]; ok && len(p.Message.ID) > 0 && first.expires > w.now() && first.life == d.life {
			want, seq = inbox.Duplicate, first.seq
		} else if !d.room(w.now(), size) {
			want = inbox.Full
		} else {
			seq = d.last() + 1
			d.msgs = append(d.msgs, mMessage{string(p.Message.Payload), size, w.now() + int64(p.Message.TTL)})
			if len(p.Message.ID) > 0 {
				w.keys[k] = mKey{seq, w.now() + int64(min(p.Message.TTL, 600)), d.life}
			}
		}
	}
	if p.Verdict != want || p.Seq != seq {
		t.Fatalf("put %q for %s: verdict %d, number %d; want %d, %d", p.Message.ID, p.Device, p.Verdict, p.Seq, want, seq)
	}
}

func (w *world) flushed() {
	for _, n := range w.nodes {
		n.flush()
	}
}

func (w *world) open(t *rapid.T) {
	id, at := someID.Draw(t, "id"), rapid.IntRange(0, 1).Draw(t, "node")
	w.flushed()
	d := w.devices[id]
	var r inbox.Resume
	provisional := false // as if it had said nothing
	if r.Given = rapid.Bool().Draw(t, "resume"); r.Given {
		r.Epoch = []byte("k9.1")
		top := uint64(3)
		if d != nil {
			top = d.last() + 2
			if rapid.IntRange(0, 3).Draw(t, "epoch") > 0 {
				r.Epoch = []byte(d.epoch.String())
			}
		}
		if provisional = rapid.IntRange(0, 3).Draw(t, "provisional") == 0; provisional {
			r.Epoch = []byte(inbox.ProvisionalEpoch().String())
		}
		r.Seq = rapid.Uint64Range(0, top).Draw(t, "seq")
	}
	o, err := w.nodes[at].Open([]byte(id), r)
	if err != nil {
		t.Fatal(err)
	}
	resumed, from, fresh, above := provisional && d == nil, uint64(0), d == nil, uint32(0)
	if fresh {
		w.lives++
		d = &mDevice{life: w.lives, at: -1}
		w.devices[id] = d
	} else {
		above = d.opened.Fence
		d.end()
		switch {
		case !r.Given || provisional:
			resumed = true
		case string(r.Epoch) != d.epoch.String():
		case r.Seq < d.acked:
			from = d.acked + 1
		case r.Seq > d.last():
			fresh = true
		default:
			resumed = true
			d.ack(r.Seq)
		}
	}
	if fresh == (o.Epoch == d.epoch) || o.Fence <= above || o.Resumed != resumed || o.From != from || o.Last != d.last() || o.Acked != d.acked {
		t.Fatalf("open %s %+v: %+v; want a new stream: %v, fence > %d, resumed %v, from %d, last %d, acked %d",
			id, r, o, fresh, above, resumed, from, d.last(), d.acked)
	}
	d.epoch, d.at, d.opened = o.Epoch, at, o
}

// session draws a device with a session, or one that had some.
func (w *world) known(t *rapid.T) *mDevice {
	ids := slices.Sorted(maps.Keys(w.devices))
	if len(ids) == 0 {
		t.Skip("nobody is known")
	}
	return w.devices[rapid.SampledFrom(ids).Draw(t, "device")]
}

func (w *world) ack(t *rapid.T) {
	d := w.known(t)
	seq := rapid.Uint64Range(0, d.last()).Draw(t, "seq")
	if len(d.old) > 0 && rapid.IntRange(0, 3).Draw(t, "old") == 0 {
		s := rapid.SampledFrom(d.old).Draw(t, "session")
		w.nodes[s.at].Ack(s.opened.Ref, s.opened.Fence, seq)
		return
	}
	if d.at < 0 {
		return
	}
	n := w.nodes[d.at]
	if last, _ := n.Last(d.opened.Ref, d.opened.Fence); seq > last {
		return // not fetched: Store.Ack forbids it
	}
	if !n.Ack(d.opened.Ref, d.opened.Fence, seq) {
		t.Fatalf("an acknowledgement of the last session is refused: %+v", d.opened)
	}
	d.ack(seq)
}

func (w *world) fetch(t *rapid.T) {
	d := w.known(t)
	if len(d.old) > 0 && rapid.IntRange(0, 3).Draw(t, "old") == 0 {
		s := rapid.SampledFrom(d.old).Draw(t, "session")
		f := inbox.Fetch{Ref: s.opened.Ref, Fence: s.opened.Fence, From: 1, Max: 9, Bytes: 1000}
		if w.nodes[s.at].Fetch(&f); !f.Gone {
			t.Fatalf("an old session gets %+v", f)
		}
		return
	}
	if d.at < 0 {
		return
	}
	f := inbox.Fetch{Ref: d.opened.Ref, Fence: d.opened.Fence, From: rapid.Uint64Range(0, d.last()+1).Draw(t, "from"),
		Max: rapid.IntRange(1, 12).Draw(t, "max"), Bytes: rapid.SampledFrom([]int{1, 60, 1000}).Draw(t, "bytes")}
	w.nodes[d.at].Fetch(&f)
	if f.Err != nil || f.Gone || f.Last != d.last() {
		t.Fatalf("fetch: %+v, want last %d", f, d.last())
	}
	seq, skip, bytes := max(f.From, d.acked+1), uint64(0), 0
	for seq <= d.last() && d.msgs[seq-d.acked-1].expires <= w.now() {
		skip = seq
		seq++
	}
	var want []string
	for ; seq <= d.last() && len(want) < f.Max; seq++ {
		m := d.msgs[seq-d.acked-1]
		if bytes += m.size; m.expires <= w.now() || bytes > f.Bytes && len(want) > 0 {
			break
		}
		want = append(want, fmt.Sprint(seq, m.payload))
	}
	var got []string
	for _, it := range f.Items {
		got = append(got, fmt.Sprint(it.Seq, string(it.Message.Payload)))
	}
	if f.Skip != skip || !slices.Equal(got, want) {
		t.Fatalf("fetch from %d, %d, %d bytes: skip %d, %q; want %d, %q", f.From, f.Max, f.Bytes, f.Skip, got, skip, want)
	}
}

func (w *world) leave(t *rapid.T) {
	d := w.known(t)
	if d.at >= 0 {
		w.nodes[d.at].Leave(d.opened.Ref, d.opened.Fence)
		d.end()
	}
}

func (w *world) remove(t *rapid.T) {
	id := someID.Draw(t, "id")
	w.flushed()
	rm := &inbox.Removal{Device: id}
	if err := w.node(t).do(rm); err != nil || (rm.Err == nil) != (w.devices[id] != nil) {
		t.Fatalf("remove %s: %v %v", id, err, rm.Err)
	}
	delete(w.devices, id)
}

func (w *world) time(t *rapid.T) {
	w.clock.add(time.Duration(rapid.SampledFrom([]int{1, 2, 4, 30, 601}).Draw(t, "s")) * time.Second)
}

func (w *world) lookup(t *rapid.T) {
	id := someID.Draw(t, "id")
	d := w.devices[id]
	w.flushed()
	i, ok := w.node(t).Lookup([]byte(id))
	if ok != (d != nil) {
		t.Fatalf("lookup %s: %v", id, ok)
	}
	if !ok {
		return
	}
	n := 0
	for _, m := range d.msgs {
		if m.expires > w.now() {
			n++
		}
	}
	if i.Epoch != d.epoch || i.Last != d.last() || i.Acked != d.acked || i.Messages != n {
		t.Fatalf("lookup %s: %+v; want %+v, %d messages", id, i, d, n)
	}
}

// spread gives everybody a message.
func (w *world) spread(t *rapid.T) {
	w.flushed()
	w.next++
	s := &inbox.Spread{Message: &inbox.Message{TTL: 60, Payload: fmt.Append(nil, w.next)}}
	if err := w.node(t).do(s); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range w.devices {
		if size := s.Message.ContentSize(); d.room(w.now(), size) {
			d.msgs = append(d.msgs, mMessage{string(s.Message.Payload), size, w.now() + 60})
			n++
		}
	}
	if s.Receivers != n || s.Refused != len(w.devices)-n {
		t.Fatalf("%d receivers and %d refused, want %d of %d", s.Receivers, s.Refused, n, len(w.devices))
	}
}

// restart kills Redis; nodes live on, and sessions with them. Seldom: it takes 50 ms.
func (w *world) restart(t *rapid.T) {
	if w.restarts++; w.restarts%8 != 1 {
		return
	}
	w.server.Kill()
	w.server.Restart()
	for _, n := range w.nodes {
		testredis.Await(n.tb, "the node reaches Redis", func() bool { _, err := n.page(n.topicsKey(), "", 1); return err == nil })
	}
}
