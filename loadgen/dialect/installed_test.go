package dialect

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"roost/server/engines"
)

// installedPeer runs a server that this machine may have: its configuration, in
// which PORT is the port and OTHER another one, follows args. Without the program the test is skipped.
func installedPeer(t *testing.T, program, file, config string, args ...string) (addr string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("NOT TESTED against %s: it is not installed", program)
	}
	port, other := freePort(t), freePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	file = filepath.Join(t.TempDir(), file)
	config = strings.NewReplacer("PORT", strconv.Itoa(port), "OTHER", strconv.Itoa(other)).Replace(config)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, file)...)
	cmd.Dir = filepath.Dir(file)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it ends by the signal, which is an error to some
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until it listens
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			nc.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// freePort returns a port that nobody listens on now.
func freePort(t *testing.T) int {
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Configurations as the package comment says. Mosquitto 2.0.11 does not start
// with a WebSocket listener alone.
const (
	mosquittoConfig = "listener OTHER 127.0.0.1\nlistener PORT 127.0.0.1\nprotocol websockets\nallow_anonymous true\nmax_queued_messages 0\n"

	centrifugoConfig = `{"http_server": {"address": "127.0.0.1", "port": PORT}, "http_api": {"key": "secret"},
"client": {"allow_anonymous_connect_without_token": true, "allowed_origins": ["*"]},
"channel": {"without_namespace": {"allow_subscribe_for_anonymous": true, "allow_subscribe_for_client": true,
"allow_publish_for_anonymous": true, "allow_publish_for_client": true}}}`
)

func mosquitto(t *testing.T) subject {
	return subject{dialect: "mqtt", cfg: Config{Resume: true}, also: []string{"kept"},
		addr: installedPeer(t, "mosquitto", "mosquitto.conf", mosquittoConfig, "-c")}
}

func centrifugoItself(t *testing.T) subject {
	addr := installedPeer(t, "centrifugo", "centrifugo.json", centrifugoConfig, "-c")
	return subject{dialect: "centrifugo", addr: addr, api: "http://" + addr, cfg: Config{API: "http://" + addr + "?api_key=secret"}}
}
