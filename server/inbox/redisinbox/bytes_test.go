package redisinbox

import (
	"fmt"
	"strconv"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestBytesInRedis measures what a device and a message cost in Redis, and that a list
// costs less than a stream for what an inbox is: few messages for many devices. Run with
// -v for the figures.
func TestBytesInRedis(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	usage := func(key string) int {
		v, err := server.Do("MEMORY", "USAGE", key, "SAMPLES", "0")
		if err != nil {
			t.Fatal(err)
		}
		bytes, _ := v.(int64)
		return int(bytes)
	}
	payload := fmt.Sprintf("%0100d", 0)
	for _, waiting := range []int{0, 1, 10, 100, 1000} {
		id := fmt.Sprintf("device-%06d", waiting)
		n.open(id)
		var ops []inbox.Op
		for range waiting {
			ops = append(ops, message(id, "", payload, 3600))
		}
		if err := n.do(ops...); err != nil {
			t.Fatal(err)
		}
		k := n.names(id)
		list, head := usage(k.list()), usage(k.head())
		stream := 0
		if waiting > 0 {
			item := string(appendItem(nil, 1, 1, ops[0].(*inbox.Put).Message))
			for i := range waiting {
				server.Text("XADD", "stream", strconv.Itoa(i+1)+"-0", "m", item)
			}
			stream = usage("stream")
			server.Text("DEL", "stream")
		}
		t.Logf("%4d messages of 100 bytes: list %d, hash %d; a stream instead of the list %d", waiting, list, head, stream)
		if list > stream {
			t.Errorf("with %d messages the list has %d bytes, a stream %d", waiting, list, stream)
		}
		if head > 400 {
			t.Errorf("the hash of a device has %d bytes", head)
		}
	}
	n.put("device-000001", "0123456789abcdef", payload, 3600)
	this, _ := n.names("device-000001").keys(uint32(clock.now().Unix()))
	t.Logf("one idempotency key of 16 bytes: %d; the index's share of a device: about %d",
		usage(this), usage(n.indexKey("", shardOf("device-000001"))))
}
