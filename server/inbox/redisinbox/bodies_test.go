package redisinbox

import (
	"fmt"
	"runtime"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// heap returns how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestReceiptsBounded: messages to many that nobody acknowledges take no more memory than is planned for them, however
// many devices are here; the newest have theirs.
func TestReceiptsBounded(t *testing.T) {
	const devices, messages, most = 20_000, 40, 32 << 20
	b := new(bodies)
	b.init()
	before := heap()
	var v *spreading
	for i := range messages {
		v = b.begin(fmt.Sprint(i), 1)
		for ref := range inbox.Ref(devices) {
			v.left++
			b.note(v, ref+1, receipt{1, uint64(i + 1)})
		}
		v.ended = true
	}
	used := int64(heap()) - int64(before)
	t.Logf("%d messages to %d devices take %d KiB", messages, devices, used>>10)
	if used > most {
		t.Errorf("%d bytes, want %d at most", used, most)
	}
	if len(v.seqs) != devices || b.receipts > maxReceipts {
		t.Errorf("the newest has %d receipts, there are %d", len(v.seqs), b.receipts)
	}
	for i := range messages { // all at once but for one device
		name := []string{fmt.Sprint(i)}
		for ref := range inbox.Ref(devices - 1) {
			b.dropped(ref+1, name)
		}
	}
	if used = int64(heap()) - int64(before); used > 1<<20 {
		t.Errorf("%d bytes, though one device of %d has not acknowledged", used, devices)
	}
	if b.receipts > messages*8 || v.left != 1 || len(v.seqs) != 1 {
		t.Errorf("%d receipts, of the newest %d, and %d devices left", b.receipts, len(v.seqs), v.left)
	}
	runtime.KeepAlive(b)
}

// TestSpreadsBounded: of more messages to many than are remembered the oldest are forgotten.
func TestSpreadsBounded(t *testing.T) {
	var b bodies
	b.init()
	for i := range maxSpreads + 100 {
		v := b.begin(fmt.Sprint(i), 1)
		b.note(v, 1, receipt{1, 1})
	}
	if len(b.spreads) != maxSpreads || len(b.byName) != maxSpreads || b.receipts != maxSpreads {
		t.Errorf("%d, %d by name, %d receipts", len(b.spreads), len(b.byName), b.receipts)
	}
	if b.byName["99"] != nil || b.byName["100"] == nil {
		t.Error("others than the oldest are forgotten")
	}
	b.sweep(1)
	if len(b.spreads)+len(b.byName)+b.receipts != 0 {
		t.Errorf("%d, %d, %d are left of what has expired", len(b.spreads), len(b.byName), b.receipts)
	}
}

// TestReceiptsReleased: what the devices here have acknowledged is released, while others elsewhere have not.
func TestReceiptsReleased(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n, other := start(t, server, clock), start(t, server, clock)
	var here []inbox.Opened
	for i := range 10 {
		here = append(here, n.open(fmt.Sprint("here", i)))
		other.open(fmt.Sprint("there", i))
	}
	gone := n.open("gone")
	n.Leave(gone.Ref, gone.Fence)
	s := spread("", "", "x")
	if err := n.do(s); err != nil || s.Receivers != 21 {
		t.Fatalf("%v %+v", err, s)
	}
	receipts := func() int {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.bodies.receipts
	}
	if got := receipts(); got != 10 {
		t.Errorf("%d receipts", got)
	}
	for i, o := range here {
		if i == 9 { // comes back with what it has
			o = n.open("here9", o.Epoch, 1)
		}
		n.Ack(o.Ref, o.Fence, 1)
	}
	n.flush()
	if got := receipts(); got != 0 {
		t.Errorf("%d receipts of what all here have", got)
	}
	if got := n.Remaining(s.Body); got != 11 {
		t.Errorf("%d remain, want those elsewhere", got)
	}
}
