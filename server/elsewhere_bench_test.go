package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"roost/server/fanout"
)

// BenchmarkElsewhere is from a publish at one node to its device at another, with Redis between, one by one: request,
// store, bus, device. All in one process with the device; the time is what a device sees.
func BenchmarkElsewhere(b *testing.B) {
	f := newFleet(b)
	real := func(o *Options) {
		o.Cluster.Bus = func(opt fanout.Options) (fanout.Bus, error) {
			return fanout.NewRedis(fanout.RedisOptions{Options: opt, Addrs: []string{f.redis.Addr()}})
		}
	}
	n1, n2 := f.node("n1", real), f.node("n2", real)
	f.ring(1, "n1", "n2")
	f.up(n1, n2)
	for _, class := range []string{"kept", "live"} {
		b.Run(class, func(b *testing.B) {
			p, _ := device(b, n2, "hop=3&device="+class, "roost.v1.json")
			p.nc.SetDeadline(time.Now().Add(10 * time.Minute))
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			url, body := "http://"+n1.APIAddr().String()+"/v1/publish", []byte(fmt.Sprintf(`{"device":%q,"class":%q,"payload":%q}`, class, class, "a payload of 20 bytes"))
			var took []time.Duration
			for i := range b.N {
				began := time.Now()
				done := make(chan error, 1)
				go func() {
					resp, err := client.Post(url, "application/json", bytes.NewReader(body))
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if resp.StatusCode != http.StatusOK {
							panic(resp.Status)
						}
					}
					done <- err
				}()
				if fr := p.frame(); fr.Header.OpCode != gobwas.OpText {
					b.Fatalf("got %v", fr.Header)
				}
				took = append(took, time.Since(began))
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				if class == "kept" && i%16 == 15 {
					p.send(fmt.Sprintf(`{"t":"ack","seq":%d}`, i+1))
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "us-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "us-p99")
		})
	}
}
