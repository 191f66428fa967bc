package deploy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDevicesByCertificate: with the line of haproxy's that docs/DEPLOY.md gives, a device is who its certificate says,
// whatever it says itself, and all else that it asks for is kept: without that it could not resume.
func TestDevicesByCertificate(t *testing.T) {
	haproxy := need(t, "haproxy", "haproxy")
	line := regexp.MustCompile("`(http-request set-query [^`]+)`").FindStringSubmatch(read(t, "../docs/DEPLOY.md"))
	if line == nil {
		t.Fatal("docs/DEPLOY.md has no such line")
	}
	p := startNode(t)
	cfg := filepath.Join(t.TempDir(), "haproxy.cfg")
	err := os.WriteFile(cfg, []byte(`
global
    log stdout format raw local0
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 10m
    timeout server 10m
frontend devices
    bind `+p.front+` ssl crt `+p.certs.server+` ca-file `+p.certs.ca+` verify required alpn http/1.1
    `+line[1]+`
    default_backend roostd
backend roostd
    server s0 `+p.listen+` send-proxy-v2
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(haproxy, "-c", "-f", cfg).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.proxy = launch(t, haproxy, "-db", "-f", cfg)
	p.proxy.await("it listens", func() bool { return accepts(p.front) })

	nc, err := tls.Dial("tcp", p.front, &tls.Config{RootCAs: p.certs.roots, Certificates: []tls.Certificate{p.certs.publisher}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(nc, "GET /v1/connect?device=another&hb=77 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	if welcome, err := r.ReadString('}'); err != nil || !strings.Contains(welcome, `"hb":77000`) {
		t.Errorf("%q, %v: the heartbeat that the device asks for is lost", welcome, err)
	}
	if got := p.addressOf("publisher-1"); got != nc.LocalAddr().String() {
		t.Errorf("roostd has the device at %q, it is at %s", got, nc.LocalAddr())
	}
	if status, body := p.ask(&http.Client{}, "http://"+p.api+"/v1/devices/another", ""); status != http.StatusNotFound {
		t.Errorf("who it says that it is: %d %s", status, body)
	}
}
