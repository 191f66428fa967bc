package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"roost/server/fanout"
)

// trio starts three nodes on one Redis, all in the ring, whose devices connect with hop 3: they stay where they
// are.
func trio(t *testing.T, change ...func(*Options)) (f *fleet, nodes [3]*Server) {
	f = newFleet(t)
	return f, f.trio(change...)
}

// eitherWay runs a test of kept messages twice: where the node that has stored one tells the device's node, as with a Redis
// Cluster, and where the store does.
func eitherWay(t *testing.T, test func(t *testing.T, f *fleet, nodes [3]*Server)) {
	t.Run("by the node", func(t *testing.T) {
		f, n := trio(t)
		test(t, f, n)
	})
	t.Run("by the store", func(t *testing.T) {
		f := newFleet(t)
		f.tells, f.bus = true, func(o fanout.Options) (fanout.Bus, error) {
			return fanout.NewRedis(fanout.RedisOptions{Options: o, Addrs: []string{f.redis.Addr()}})
		}
		test(t, f, f.trio())
	})
}

func (f *fleet) trio(change ...func(*Options)) (nodes [3]*Server) {
	for i := range nodes {
		nodes[i] = f.node(fmt.Sprintf("n%d", i+1), change...)
	}
	f.ring(1, "n1", "n2", "n3")
	f.up(nodes[:]...)
	return nodes
}

// at connects a device to a node for good.
func at(t *testing.T, s *Server, id string) *peer {
	t.Helper()
	p, _ := device(t, s, "hop=3&device="+id, "roost.v1.json")
	return p
}

// acks acknowledges every kept message until the connection ends, and passes on what came.
func (p *peer) acks() <-chan map[string]any {
	got := make(chan map[string]any, 1024)
	go func() {
		defer close(got)
		for {
			f, err := p.next()
			if err != nil {
				return
			}
			var m map[string]any
			if json.Unmarshal(f, &m) != nil || m["t"] != "msg" {
				continue
			}
			got <- m
			if seq, kept := m["seq"].(float64); kept {
				if p.write(fmt.Sprintf(`{"t":"ack","seq":%d}`, int(seq))) != nil {
					return
				}
			}
		}
	}()
	return got
}

// TestStatusNumbers: the statuses of kept messages are the same numbers in both packages.
// batch publishes lines.
func batch(t testing.TB, s *Server, lines ...string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 3 * patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+s.APIAddr().String()+"/v1/publish", "application/x-ndjson", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// gets is expect for a device that may be told to go elsewhere meanwhile.
func (p *peer) gets(want string) {
	p.t.Helper()
	got := p.read()
	for strings.HasPrefix(string(got), `{"t":"away"`) {
		got = p.read()
	}
	if string(got) != want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

// dialLater connects a device in another goroutine than the test's; nil where it is refused.
func dialLater(t testing.TB, s *Server, query string) (net.Conn, io.Reader) {
	d := gobwas.Dialer{Protocols: []string{"roost.v1.json"}, Timeout: patience}
	nc, br, _, err := d.Dial(context.Background(), "ws://"+s.Addr().String()+"/v1/connect?"+query)
	if err != nil {
		t.Errorf("dial: %v", err)
		return nil, nil
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	if br != nil {
		return nc, io.MultiReader(io.LimitReader(br, int64(br.Buffered())), nc)
	}
	return nc, nc
}

// next is read for other goroutines than the test's.
func (p *peer) next() ([]byte, error) {
	h, err := gobwas.ReadHeader(p.r)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return nil, err
	}
	if h.OpCode == gobwas.OpClose {
		return nil, io.EOF
	}
	return payload, nil
}

// write is send for them.
func (p *peer) write(msg string) error { return wsutil.WriteClientText(p.nc, []byte(msg)) }
