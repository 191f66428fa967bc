package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"roost/server/client"
)

// proxied is a roostd behind a proxy, with the proxy's addresses.
type proxied struct {
	t             *testing.T
	certs         *certs
	node, proxy   *process
	listen, api   string // roostd's
	front, front2 string // the proxy's, for devices and for publishers
}

// startNode starts a roostd that takes connections of proxies only.
func startNode(t *testing.T) *proxied {
	t.Helper()
	p := &proxied{t: t, certs: newCerts(t), listen: freeAddr(t), api: freeAddr(t), front: freeAddr(t), front2: freeAddr(t)}
	p.node = launch(t, roostd, "--listen", p.listen, "--api", p.api, "--auth", "none", "--proxy-protocol", "required", "--drain", "1s", "--max-connections", "1000")
	p.node.await("ready", func() bool { return strings.Contains(p.node.said(), "ready ") })
	return p
}

func TestHaproxy(t *testing.T) {
	haproxy := need(t, "haproxy", "haproxy")
	p := startNode(t)
	cfg := adapt(t, "haproxy/haproxy.cfg",
		"    user haproxy\n    group haproxy\n", "",
		"log /dev/log local0 notice", "log stdout format raw local0",
		"maxconn 220000", "maxconn 4000", "maxconn 100000", "maxconn 1000",
		"bind :443 ssl crt /etc/haproxy/certs/", "bind "+p.front+" ssl crt "+p.certs.server,
		"bind :8444 ssl crt /etc/haproxy/certs/", "bind "+p.front2+" ssl crt "+p.certs.server,
		"/etc/haproxy/publishers.pem", p.certs.ca,
		"127.0.0.1:8080", p.listen, "127.0.0.1:8081", p.api, "inter 2s", "inter 100ms")
	if out, err := exec.Command(haproxy, "-c", "-f", cfg).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
		t.Fatalf("%v: %s", err, out)
	}
	p.proxy = launch(t, haproxy, "-db", "-f", cfg)
	p.run()
	p.proxy.await("it has seen that the node is gone", func() bool { return strings.Contains(p.proxy.said(), "Server roostd/s0 is DOWN") })
}

func TestNginx(t *testing.T) {
	nginx := need(t, "nginx", "nginx-light libnginx-mod-stream")
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	p := startNode(t)
	dir, user := t.TempDir(), "" // its workers' user, who has to be able to write there
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	cfg := adapt(t, "nginx/nginx.conf",
		"modules/ngx_stream_module.so", module,
		"user www-data;\n", user, "worker_processes auto;\n", "worker_processes 1;\n",
		"worker_rlimit_nofile 262144;\n", "", "worker_connections 131072", "worker_connections 1000",
		"/var/log/nginx/error.log", "stderr", "/run/nginx.pid", filepath.Join(dir, "pid"),
		"listen 443 ssl reuseport", "listen "+p.front+" ssl reuseport", "listen 8444 ssl", "listen "+p.front2+" ssl",
		"/etc/nginx/certs/push.pem", p.certs.cert, "/etc/nginx/certs/push.key", p.certs.key, "/etc/nginx/publishers.pem", p.certs.ca,
		"127.0.0.1:8080", p.listen, "127.0.0.1:8081", p.api,
		"    access_log off;\n", "    access_log off;\n    client_body_temp_path "+dir+"/b;\n    proxy_temp_path "+dir+"/p;\n    fastcgi_temp_path "+dir+"/f;\n    uwsgi_temp_path "+dir+"/u;\n    scgi_temp_path "+dir+"/s;\n")
	if out, err := exec.Command(nginx, "-t", "-e", "stderr", "-c", cfg).CombinedOutput(); err != nil || strings.Contains(string(out), "[warn]") {
		t.Fatalf("%v: %s", err, out)
	}
	p.proxy = launch(t, nginx, "-e", "stderr", "-g", "daemon off;", "-c", cfg)
	p.run()
}

// run is what holds behind any proxy.
func (p *proxied) run() {
	p.t.Helper()
	p.proxy.await("it listens", func() bool { return accepts(p.front) && accepts(p.front2) })
	d := p.device("d1")
	if got := p.addressOf("d1"); got != d.local {
		p.t.Errorf("roostd says that the device is connected from %s, and it is from %s", got, d.local)
	}
	p.publishes(d)
	p.refuses()
	p.many()
	if strings.Contains(p.proxy.said(), "DOWN") {
		p.t.Error("the proxy's checks fail")
	}
	p.drains(d)
}

// device is a client behind the proxy.
type device struct {
	local string // its own address
	got   chan string
	away  chan struct{} // gets something when it is not connected any more
	ended chan error
	stop  context.CancelFunc
}

// device connects one.
func (p *proxied) device(id string) *device {
	p.t.Helper()
	d := &device{got: make(chan string, 16), away: make(chan struct{}, 1), ended: make(chan error, 1)}
	up := make(chan struct{}, 16)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: p.certs.roots}}
	c, err := client.New(client.Options{URL: "ws://" + p.front, Device: id,
		OnMessage: func(m client.Message) { d.got <- string(m.Payload) },
		OnState: func(s client.State) {
			switch s.Phase {
			case client.Connected:
				up <- struct{}{}
			case client.Waiting:
				select {
				case d.away <- struct{}{}:
				default:
				}
			}
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := dialer.DialContext(ctx, "tcp", addr)
			if err == nil {
				d.local = nc.LocalAddr().String()
			}
			return nc, err
		}})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go func() { d.ended <- c.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-d.ended; !errors.Is(err, context.Canceled) {
			p.t.Errorf("device: %v", err)
		}
	})
	select {
	case <-up:
	case <-time.After(patience):
		p.t.Fatal("the device does not get through the proxy")
	}
	return d
}

// addressOf asks roostd where a device is connected from.
func (p *proxied) addressOf(id string) string {
	p.t.Helper()
	var d struct{ Connection struct{ Address string } }
	status, body := p.ask(&http.Client{}, "http://"+p.api+"/v1/devices/"+id, "")
	if err := json.Unmarshal(body, &d); err != nil || status != 200 {
		p.t.Fatalf("%d %s, %v", status, body, err)
	}
	return d.Connection.Address
}

// ask makes one request.
func (p *proxied) ask(c *http.Client, url, post string) (status int, body []byte) {
	p.t.Helper()
	c.Timeout = patience
	defer c.CloseIdleConnections()
	var resp *http.Response
	var err error
	if post == "" {
		resp, err = c.Get(url)
	} else {
		resp, err = c.Post(url, "application/json", strings.NewReader(post))
	}
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		p.t.Errorf("%s: %v", url, err)
	}
	return resp.StatusCode, body
}

// publisher is a client of the proxied API.
func (p *proxied) publisher(with ...tls.Certificate) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.certs.roots, Certificates: with}}}
}

// publishes: with a certificate, and through to the device; not without; and not to
// what is for operators.
func (p *proxied) publishes(d *device) {
	p.t.Helper()
	publish := "https://" + p.front2 + "/v1/publish"
	big := `"` + strings.Repeat("x", 60<<10) + `"`
	for _, payload := range []string{`{"n":1}`, big} {
		status, body := p.ask(p.publisher(p.certs.publisher), publish, `{"device":"d1","wait":10,"payload":`+payload+`}`)
		if status != 200 || !bytes.Contains(body, []byte(`"acknowledged"`)) {
			p.t.Errorf("publish through the proxy: %d %s", status, body)
		}
		select {
		case got := <-d.got:
			if got != payload {
				p.t.Errorf("got %.80s, want %.80s", got, payload)
			}
		case <-time.After(patience):
			p.t.Fatal("the device gets nothing")
		}
	}
	if status, body := p.ask(p.publisher(), publish, `{"all":true,"payload":2}`); status == 200 {
		p.t.Errorf("published without a certificate: %s", body)
	}
	if status, _ := p.ask(p.publisher(p.certs.publisher), "https://"+p.front2+"/debug/pprof/", ""); status != 403 {
		p.t.Errorf("profiles through the proxy: %d", status)
	}
}

// refuses: a connection past the proxy.
func (p *proxied) refuses() {
	p.t.Helper()
	status, body := p.ask(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+p.listen+"/healthz", "")
	if status != 400 || !bytes.Contains(body, []byte("PROXY protocol")) {
		p.t.Errorf("without a header: %d %s", status, body)
	}
	if status, body := p.ask(p.publisher(), "https://"+p.front+"/healthz", ""); status != 200 {
		p.t.Errorf("through the proxy: %d %s", status, body)
	}
}

// many devices do not share one source address and its ports.
func (p *proxied) many() {
	p.t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: p.certs.roots}}
	for i := range 60 {
		nc, err := dialer.Dial("tcp", p.front)
		if err != nil {
			p.t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(nc, "GET /v1/connect?device=m%d HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", i)
		b := make([]byte, 12)
		if _, err := io.ReadFull(nc, b); err != nil || string(b) != "HTTP/1.1 101" {
			p.t.Fatalf("%q, %v", b, err)
		}
	}
	if n := len(p.sources()); n < 5 {
		p.t.Errorf("the proxy comes from %d addresses", n)
	}
}

// established is a line of /proc/net/tcp.
var established = regexp.MustCompile(`(?m)^ *\d+: [0-9A-F]{8}:([0-9A-F]{4}) ([0-9A-F]{8}):[0-9A-F]{4} 01 `)

// sources are the addresses that are connected to roostd.
func (p *proxied) sources() map[string]bool {
	p.t.Helper()
	_, port, _ := net.SplitHostPort(p.listen)
	sources := map[string]bool{}
	for _, m := range established.FindAllStringSubmatch(read(p.t, "/proc/net/tcp"), -1) {
		var n int
		fmt.Sscanf(m[1], "%X", &n)
		if fmt.Sprint(n) == port {
			sources[m[2]] = true
		}
	}
	return sources
}

// drains: a node that goes down tells its devices so through the proxy.
func (p *proxied) drains(d *device) {
	p.t.Helper()
	p.node.stop()
	if !strings.Contains(p.node.Exit(), "exit status 0") {
		p.t.Errorf("roostd: %s", p.node.Exit())
	}
	select {
	case <-d.away:
	case <-time.After(patience):
		p.t.Error("the device was not sent away")
	}
	d.stop()
}

// TestProxiesArePatient: no proxy is quicker than roostd, which closes a device after
// 1.5 heartbeats of silence, 300 s at most each.
func TestProxiesArePatient(t *testing.T) {
	const atLeast = 450 * time.Second
	for file, settings := range map[string][]string{
		"haproxy/haproxy.cfg":   {`timeout client`, `timeout server`},
		"nginx/nginx.conf":      {`proxy_timeout`},
		"kubernetes/roost.yaml": {`timeout client`, `timeout server`},
	} {
		for _, s := range settings {
			found := regexp.MustCompile(`(?m)^ *`+s+` (\S+?);?$`).FindAllStringSubmatch(read(t, file), -1)
			if len(found) == 0 {
				t.Errorf("%s does not set %s", file, s)
			}
			for _, m := range found {
				if d, err := time.ParseDuration(m[1]); err != nil || d <= atLeast {
					t.Errorf("%s: %s is %s, want more than %v", file, s, m[1], atLeast)
				}
			}
		}
	}
}
