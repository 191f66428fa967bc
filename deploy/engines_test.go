package deploy

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRedisConf: a Redis takes the file, and is what docs/DEPLOY.md promises of it.
func TestRedisConf(t *testing.T) {
	redis, cli := need(t, "redis-server", "redis-server"), need(t, "redis-cli", "redis-tools")
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	conf := adapt(t, "redis/redis.conf", "bind 127.0.0.1 -::1", "bind 127.0.0.1", "port 6379", "port "+port)
	p := launch(t, redis, conf, "--dir", t.TempDir())
	p.await("it answers", func() bool { return accepts(addr) })
	for key, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "maxmemory": "8589934592", "save": "",
		"no-appendfsync-on-rewrite": "no", "protected-mode": "yes",
	} {
		out, err := exec.Command(cli, "-p", port, "CONFIG", "GET", key).CombinedOutput()
		if got := strings.TrimSpace(strings.TrimPrefix(string(out), key)); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", key, got, err, want)
		}
	}
	p.stop()
}

// TestEtcdConf: an etcd takes the file.
func TestEtcdConf(t *testing.T) {
	etcd := need(t, "etcd", "etcd-server")
	addr := freeAddr(t)
	conf := adapt(t, "etcd/etcd.conf.yml", "/var/lib/etcd", filepath.Join(t.TempDir(), "etcd"),
		"127.0.0.1:2379", addr, "127.0.0.1:2380", freeAddr(t))
	p := launch(t, etcd, "--config-file", conf)
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p.await("healthy", func() bool {
		resp, err := client.Get("http://" + addr + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if metrics, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(metrics), "\netcd_server_quota_backend_bytes 2.147483648e+09\n") {
		t.Errorf("etcd's quota is another one, %v", err)
	}
	// It does not say what it compacts, and ignores keys that it does not know.
	for _, want := range []string{"\nauto-compaction-mode: periodic\n", "\nauto-compaction-retention: \"1h\"\n"} {
		if !strings.Contains(read(t, "etcd/etcd.conf.yml"), want) {
			t.Errorf("no %q", want)
		}
	}
	p.stop()
}
