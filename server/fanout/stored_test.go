package fanout

import (
	"encoding/binary"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"roost/server/testredis"
)

// TestStored: what a script makes of the halves of a notice is the envelope that Append makes, whatever its numbers; a
// pack of several is all of them, in their order.
func TestStored(t *testing.T) {
	redis := testredis.Start(t)
	one, many := StoredLua+`return bus_notice(ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5])`, StoredLua+`return bus_pack(ARGV)`
	var all []string
	for _, e := range []Envelope{
		{Kind: KindForward, Seq: 1, Epoch: []byte("ab.1"), Fence: 1, TTL: 60, Tag: 7, MessageID: []byte("k"), Payload: []byte("{}")},
		{Kind: KindNotice, Seq: 127, Epoch: []byte("ab.1"), Fence: 128},
		{Kind: KindNotice, Seq: 128, Epoch: []byte(strings.Repeat("x", 200))},
		{Kind: KindForward, Raw: true, Seq: 1 << 40, Epoch: []byte("ab.1"), Fence: 1<<32 - 1, Channel: []byte("fw"), Payload: []byte(strings.Repeat("\x00\xff", 9000))},
	} {
		e.Origin, e.Device = []byte("n1"), []byte("d")
		want, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := redis.Text("EVAL", one, "0", string(e.AppendBefore(nil)), number(e.Seq), string(e.Epoch), number(e.Fence), string(e.AppendBehind(nil)))
		if got != string(want) {
			t.Errorf("%v %d: %q, want %q", e.Kind, e.Seq, got, want)
		}
		all = append(all, got)
	}
	if got := redis.Text("EVAL", many, "0", all[0]); got != all[0] {
		t.Errorf("a pack of one is %q", got)
	}
	pack := redis.Text(append([]string{"EVAL", many, "0"}, all...)...)
	var parts []string
	if !unpack(pack, func(s string) { parts = append(parts, s) }) || !reflect.DeepEqual(parts, all) {
		t.Errorf("a pack has %q, want %q", parts, all)
	}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// TestPackArrives: a node gets the envelopes of a pack as if each had come by itself; what is none is counted.
func TestPackArrives(t *testing.T) {
	w := memoryWorld(t)
	a := w.start(t, "a", nil)
	pack := func(envelopes ...string) string {
		var b []byte
		for _, e := range envelopes {
			b = append(binary.AppendUvarint(b, uint64(len(e))), e...)
		}
		return string(appendBytes([]byte{version, needs, byte(kindPack)}, fieldPayload, b))
	}
	text := func(payload string) string {
		e := live(payload)
		e.Origin = []byte("b")
		b, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	w.raw("a", pack(text("1"), text("2"), text("3")))
	a.awaitPayloads(QueueInbox, "1", "2", "3")
	bad := []string{pack(), pack(pack(text("x"))), pack("x"), pack(text("4")) + "y", string([]byte{version, needs, byte(kindPack), fieldPayload<<1 | 1, 2, 9, 9})}
	for i, b := range bad {
		w.raw("a", b)
		a.await("it is counted", func() bool { return a.State().Invalid == uint64(i+1) })
	}
	w.raw("a", text("5"))
	a.awaitPayloads(QueueInbox, "1", "2", "3", "5")
}
