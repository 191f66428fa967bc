package fanout

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roost/server/testredis"
)

// TestStored: what a script and a receiver make of a notice is the envelope that Append makes, whatever its numbers, and of
// several all of them, in their order.
func TestStored(t *testing.T) {
	redis := testredis.Start(t)
	script := StoredLua + `
		local parts = {}
		for i = 1, #ARGV, 5 do
			parts[#parts + 1] = struct.pack('>I6I4c4Bc0', tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2], #ARGV[i + 3], ARGV[i + 3])
			parts[#parts + 1] = ARGV[i + 4]
		end
		return bus_stored(parts)`
	var all []string
	args := []string{"EVAL", script, "0"}
	for _, e := range []Envelope{
		{Kind: KindForward, Seq: 1, Epoch: []byte("ab.1"), Fence: 1, TTL: 60, Tag: 7, Before: 6, MessageID: []byte("k"), Payload: []byte("{}")},
		{Kind: KindNotice, Seq: 127, Epoch: []byte("ab.1")},
		{Kind: KindNotice, Seq: 128, Epoch: []byte(strings.Repeat("x", MaxName)), Fence: 128},
		{Kind: KindForward, Raw: true, Seq: 1<<48 - 1, Epoch: []byte("ab.1"), Fence: 1<<32 - 1, Before: 1<<32 - 1, Channel: []byte("fw"), Payload: []byte(strings.Repeat("\x00\xff", 9000))},
	} {
		e.Origin, e.Device = []byte("n1"), []byte("d")
		want, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		part := []string{strconv.FormatUint(e.Seq, 10), strconv.FormatUint(e.Fence, 10), string(binary.BigEndian.AppendUint32(nil, e.Before)), string(e.Epoch), string(e.AppendStored(nil))}
		if got := cut(t, redis.Text(append([]string{"EVAL", script, "0"}, part...)...)); !slices.Equal(got, []string{string(want)}) {
			t.Errorf("%v %d: %q, want %q", e.Kind, e.Seq, got, want)
		}
		all, args = append(all, string(want)), append(args, part...)
	}
	if got := cut(t, redis.Text(args...)); !slices.Equal(got, all) {
		t.Errorf("several are %q, want %q", got, all)
	}
}

// cut returns the envelopes of a message of bus_stored.
func cut(t *testing.T, m string) (all []string) {
	t.Helper()
	if !cutStored(m, func(before string, stream []byte, behind string, end []byte) {
		all = append(all, before+string(stream)+behind+string(end))
	}) {
		t.Errorf("%q is none", m)
	}
	return all
}

// stored is what bus_stored makes of notices, as the script has it.
func stored(kinds ...Envelope) string {
	var b []byte
	for i := range kinds {
		e := &kinds[i]
		b = binary.BigEndian.AppendUint16(b, uint16(e.Seq>>32))
		b = binary.BigEndian.AppendUint32(b, uint32(e.Seq))
		b = binary.BigEndian.AppendUint32(b, uint32(e.Fence))
		b = binary.BigEndian.AppendUint32(b, e.Before)
		b = append(append(b, byte(len(e.Epoch))), e.Epoch...)
		b = e.AppendStored(b)
	}
	return string(appendBytes([]byte{version, needs, byte(kindStored)}, fieldPayload, b))
}

// TestStoredArrives: a node gets notices as if each had come by itself; what is none is counted.
func TestStoredArrives(t *testing.T) {
	w := memoryWorld(t)
	a := w.start(t, "a", nil)
	notice := func(payload string) Envelope {
		return Envelope{Kind: KindForward, Origin: []byte("b"), Device: []byte("d"), Seq: 7, Epoch: []byte("ab.1"), Fence: 3, Payload: []byte(payload)}
	}
	w.raw("a", stored(notice("1"), notice("2"), notice("3")))
	a.awaitPayloads(QueueInbox, "1", "2", "3")
	other := notice("x")
	other.Kind = KindControl
	payload := func(b string) string {
		return string(appendBytes([]byte{version, needs, byte(kindStored)}, fieldPayload, []byte(b)))
	}
	bad := []string{stored(), stored(other), stored(notice("4")) + "y", payload("12"), payload("\x00\x00\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00\x00\x00\x04abc")}
	for i, b := range bad {
		w.raw("a", b)
		a.await("it is counted", func() bool { return a.State().Invalid == uint64(i+1) })
	}
	w.raw("a", stored(notice("5")))
	a.awaitPayloads(QueueInbox, "1", "2", "3", "5")
}

// FuzzStored: whatever comes, cutting it does not panic, and its parts are no longer than it and a stream.
func FuzzStored(f *testing.F) {
	f.Add(stored(Envelope{Kind: KindNotice, Origin: []byte("b"), Device: []byte("d"), Seq: 1 << 40, Epoch: []byte("ab.1"), Fence: 9}))
	f.Fuzz(func(t *testing.T, m string) {
		cutStored(m, func(before string, stream []byte, behind string, end []byte) {
			if len(before)+len(behind) > len(m) || len(end) > 6 || len(stream) > 2*MaxName+32 {
				t.Fatalf("%d, %d and %d bytes of %d", len(before), len(stream), len(behind), len(m))
			}
		})
	})
}
