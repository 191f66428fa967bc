package inbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestIndexAgainstModel compares a Memory, and what every store shares, with
// slices and maps: operations are planned, other things happen meanwhile, and
// then they are committed or undone.
func TestIndexAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Messages: 40, Bytes: 1400, Total: 6000, Devices: 6, Topics: 4, Latest: 120}
		w := newTwins(limits)
		t.Repeat(map[string]func(*rapid.T){
			"batch":  w.batch,
			"batch2": w.batch, // twice as often
			"event":  w.event,
			"tick":   w.tick,
			"time":   w.time,
			"":       w.compare,
		})
	})
}

// twins are a store and its model.
type twins struct {
	s     *Memory
	clock *testClock
	m     *model
	next  int // number of the next payload
	fetch Fetch
}

func newTwins(limits Limits) *twins {
	c := newClock()
	s := NewMemory(limits, c.now)
	s.x.atOnce = false // as in a File
	return &twins{s: s, clock: c, m: newModel(limits, uint32(c.t.Unix()))}
}

var (
	someID    = rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
	someTopic = rapid.SampledFrom([]string{"t1", "t2", "t3", "t4", "t5"})
	someKey   = rapid.SampledFrom([]string{"", "", "k1", "k2", "k3", "k4"})
	someTTL   = rapid.SampledFrom([]uint32{1, 2, 5, 30, 3600, 86400})
)

func (w *twins) time(t *rapid.T) {
	w.clock.add(time.Duration(rapid.SampledFrom([]int{1, 1, 3, 29, 31, 601}).Draw(t, "s")) * time.Second)
	w.m.now = uint32(w.clock.t.Unix())
}

func (w *twins) tick(*rapid.T) {
	w.s.Tick()
	w.m.tick()
}

// event is something that may happen at any time, also while operations are
// planned and not committed.
func (w *twins) event(t *rapid.T) {
	switch rapid.SampledFrom([]string{"open", "ack", "fetch", "fetch", "lookup", "tick", "time"}).Draw(t, "event") {
	case "open":
		w.open(t)
	case "ack":
		w.ack(t)
	case "fetch":
		w.doFetch(t)
	case "lookup":
		w.lookup(t)
	case "tick":
		w.tick(t)
	case "time":
		w.time(t)
	}
}

func (w *twins) open(t *rapid.T) {
	id := someID.Draw(t, "id")
	d := w.m.devices[id]
	var r Resume
	if r.Given = rapid.Bool().Draw(t, "resume"); r.Given {
		r.Epoch = []byte("other.1")
		top := uint64(3)
		if d != nil {
			top = d.last() + 2
			if rapid.IntRange(0, 3).Draw(t, "epoch") > 0 {
				r.Epoch = []byte(d.epoch)
			}
		}
		r.Seq = rapid.Uint64Range(0, top).Draw(t, "seq")
	}
	o, err := w.s.Open([]byte(id), r)
	if d == nil && len(w.m.devices) >= w.m.limits.Devices {
		if !errors.Is(err, ErrDevices) {
			t.Fatalf("device %d of %d: %v", len(w.m.devices)+1, w.m.limits.Devices, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	d, resumed, from, newEpoch := w.m.open(id, r)
	epoch := o.Epoch.String()
	if newEpoch == w.m.epochs[id+" "+epoch] || !newEpoch && epoch != d.epoch {
		t.Fatalf("open %s %+v: epoch %q after %q; a new one: %v; all: %v", id, r, epoch, d.epoch, newEpoch, w.m.epochs)
	}
	if !o.Epoch.Is([]byte(epoch)) {
		t.Fatalf("epoch %q is not itself", epoch)
	}
	if o.Fence <= d.fence || o.Last != d.last() || o.Acked != d.acked || o.Resumed != resumed || o.From != from {
		t.Fatalf("open %s %+v: %+v; want fence > %d, last %d, acked %d, resumed %v, from %d",
			id, r, o, d.fence, d.last(), d.acked, resumed, from)
	}
	if d.ref != 0 && d.ref != o.Ref {
		t.Fatalf("open %s: ref %d, had %d", id, o.Ref, d.ref)
	}
	if other := w.m.byRef(o.Ref); other != nil && other != d {
		t.Fatalf("open %s: ref %d is that of %s", id, o.Ref, other.id)
	}
	w.m.epochs[id+" "+epoch] = true
	d.ref, d.fence, d.epoch = o.Ref, o.Fence, epoch
}

// known draws a known device, nil if there is none.
func (w *twins) known(t *rapid.T) *mDevice {
	ids := slices.Sorted(maps.Keys(w.m.devices))
	if len(ids) == 0 {
		return nil
	}
	return w.m.devices[rapid.SampledFrom(ids).Draw(t, "device")]
}

func (w *twins) ack(t *rapid.T) {
	d := w.known(t)
	if d == nil {
		return
	}
	seq := rapid.Uint64Range(0, d.last()).Draw(t, "seq")
	if rapid.IntRange(0, 4).Draw(t, "old") == 0 {
		w.s.Ack(d.ref, d.fence-1, seq)
		return
	}
	w.s.Ack(d.ref, d.fence, seq)
	w.m.acked += uint64(d.ack(seq))
}

func (w *twins) doFetch(t *rapid.T) {
	d := w.known(t)
	if d == nil {
		return
	}
	f := &w.fetch
	f.Ref, f.Fence = d.ref, d.fence
	f.From = rapid.Uint64Range(0, d.last()+1).Draw(t, "from")
	f.Max = rapid.IntRange(1, 40).Draw(t, "max")
	f.Bytes = rapid.SampledFrom([]int{1, 200, 100_000}).Draw(t, "bytes")
	want := w.m.fetch(d, f)
	w.s.Fetch(f)
	var got []string
	for i, it := range f.Items {
		got = append(got, string(it.Message.Payload))
		if it.Seq != want.first+uint64(i) {
			t.Fatalf("fetch %+v: item %d has number %d, want %+v", f, i, it.Seq, want)
		}
	}
	if f.Err != nil || f.Gone || f.Last != want.last || f.Skip != want.skip || !slices.Equal(got, want.payloads) {
		t.Fatalf("fetch from %d, at most %d and %d bytes: %+v\ngot  %v\nwant %+v", f.From, f.Max, f.Bytes, f, got, want)
	}
	if f.Skip != 0 && f.Why != "ttl" {
		t.Fatalf("fetch %+v: why?", f)
	}
}

func (w *twins) lookup(t *rapid.T) {
	id := someID.Draw(t, "id")
	i, ok := w.s.Lookup([]byte(id))
	d := w.m.devices[id]
	if ok != (d != nil) {
		t.Fatalf("lookup %s: %v", id, ok)
	}
	if !ok {
		return
	}
	n, bytes := w.m.waiting(d)
	topics := slices.Sorted(maps.Keys(d.topics))
	if i.Ref != d.ref || i.Epoch.String() != d.epoch || i.Last != d.last() || i.Acked != d.acked ||
		i.Messages != n || i.Bytes != bytes || !slices.Equal(i.Topics, topics) {
		t.Fatalf("lookup %s: %+v\nwant ref %d epoch %s last %d acked %d, %d messages of %d bytes, topics %v",
			id, i, d.ref, d.epoch, d.last(), d.acked, n, bytes, topics)
	}
	var each []string
	w.s.EachTopic(d.ref, func(topic string) { each = append(each, topic) })
	if !slices.Equal(each, topics) {
		t.Fatalf("topics of %s: %v, want %v", id, each, topics)
	}
}

// compare looks at everything that shows at once.
func (w *twins) compare(t *rapid.T) {
	if problems := w.s.Check(); len(problems) > 0 {
		t.Fatalf("check: %s", strings.Join(problems, "\n"))
	}
	for id, d := range w.m.devices {
		if last, acked := w.s.Last(d.ref, d.fence); last != d.last() || acked != d.acked {
			t.Fatalf("%s: last %d, acked %d; want %d, %d", id, last, acked, d.last(), d.acked)
		}
	}
	c := w.s.Counts()
	// What expired is noticed late, also after its number was acknowledged.
	if c.Published != w.m.stored || c.Acknowledged > w.m.acked || c.Removed > w.m.removed ||
		c.Published != c.Acknowledged+c.Expired+c.Removed+c.InFlight {
		t.Fatalf("%+v; want published %d, at most acknowledged %d and removed %d", c, w.m.stored, w.m.acked, w.m.removed)
	}
	if least, most := w.m.total(); c.Bytes < least || c.Bytes > most {
		t.Fatalf("%d bytes are counted, want %d to %d", c.Bytes, least, most)
	}
	ids := slices.Sorted(maps.Keys(w.m.devices))
	if got := w.s.Devices("", 100); !slices.Equal(got, ids) || c.Devices != len(ids) {
		t.Fatalf("devices %v, counted %d; want %v", got, c.Devices, ids)
	}
	w.compareTopics(t)
}

func (w *twins) compareTopics(t *rapid.T) {
	var got, want []string
	for _, i := range w.s.Topics("", 100) {
		got = append(got, fmt.Sprint(i))
		if one, ok := w.s.Topic(i.Topic); !ok || one != i {
			t.Fatalf("topic %+v is %+v, %v", i, one, ok)
		}
	}
	topics := w.m.topics()
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		v, has := w.m.latest[name]
		has = has && v.expires > w.m.now
		want = append(want, fmt.Sprint(TopicInfo{name, topics[name], has}))
		m, ok := w.s.LatestOf([]byte(name))
		if ok != has || ok && string(m.Payload) != v.payload {
			t.Fatalf("latest of %s: %q %v, want %q %v", name, m.Payload, ok, v.payload, has)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("topics %v, want %v", got, want)
	}
}
