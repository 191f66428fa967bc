package chromium

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// Browser is a headless Chromium with one page, driven over the DevTools protocol
// from one goroutine. What goes wrong with it ends the test.
type Browser struct {
	t    *testing.T
	ws   *websocket.Conn
	next int
	// Heard of the page since Open.
	console  []string // messages, exceptions, refusals of the policy
	requests []string // addresses that were asked for
}

// devtools is a message of the protocol.
type devtools struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Start starts Chromium with a profile of its own, and ends it with the test. Tests in it run when ROOST_BROWSER is set: make test-report sets it and
// installs what is missing.
func Start(t *testing.T) *Browser {
	t.Helper()
	if os.Getenv("ROOST_BROWSER") == "" {
		t.Skip("runs in Chromium: make test-report")
	}
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	profile := t.TempDir()
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--font-render-hinting=none",
		"--disable-background-networking", "--remote-debugging-address=127.0.0.1", "--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir="+profile, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // it has children, and they end with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t}
	t.Cleanup(func() {
		if b.ws != nil {
			b.ws.Close()
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		// The kernel may still be closing files of the profile.
		_ = retry(10*time.Second, func() error { return os.RemoveAll(profile) })
	})
	if err := retry(60*time.Second, func() error { return b.connect(profile) }); err != nil {
		t.Fatalf("Chromium does not answer: %v", err)
	}
	for _, domain := range []string{"Runtime", "Page", "Network", "Log"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// Within has the browser report to t, a part of the test that has started it.
func (b *Browser) Within(t *testing.T) { b.t = t }

// retry calls f until it succeeds, for so long.
func retry(long time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *Browser) connect(profile string) error {
	data, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
	if err != nil {
		return err
	}
	port, _, _ := strings.Cut(string(data), "\n")
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://127.0.0.1:" + port + "/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var pages []struct{ Type, WebSocketDebuggerURL string }
	if err := json.NewDecoder(resp.Body).Decode(&pages); err != nil {
		return err
	}
	for _, p := range pages {
		if p.Type == "page" {
			b.ws, err = websocket.Dial(p.WebSocketDebuggerURL, "", "http://127.0.0.1")
			if err == nil {
				b.ws.MaxPayloadBytes = 64 << 20
			}
			return err
		}
	}
	return errors.New("no page")
}

// call asks and waits for the answer; what the page does meanwhile is noted.
func (b *Browser) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.next++
	raw, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	if params == nil {
		raw = json.RawMessage("{}")
	}
	_ = b.ws.SetDeadline(time.Now().Add(60 * time.Second))
	if err := websocket.JSON.Send(b.ws, devtools{ID: b.next, Method: method, Params: raw}); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.hear()
		if m.ID == b.next {
			if m.Error != nil {
				b.t.Fatalf("%s: %s", method, m.Error.Message)
			}
			return m.Result
		}
	}
}

// hear takes one message.
func (b *Browser) hear() devtools {
	b.t.Helper()
	var m devtools
	if err := websocket.JSON.Receive(b.ws, &m); err != nil {
		b.t.Fatal(err)
	}
	switch m.Method {
	case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded":
		b.console = append(b.console, string(m.Params))
	case "Network.requestWillBeSent":
		var p struct{ Request struct{ URL string } }
		_ = json.Unmarshal(m.Params, &p)
		b.requests = append(b.requests, p.Request.URL)
	}
	return m
}

// Screen sets width, height and colour scheme.
func (b *Browser) Screen(width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "", "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

// Open loads a file and waits for it.
func (b *Browser) Open(path string) {
	b.t.Helper()
	b.console, b.requests = nil, nil
	b.call("Page.navigate", map[string]any{"url": "file://" + path})
	for b.hear().Method != "Page.loadEventFired" {
	}
}

// Run evaluates an expression in the page, into v.
func (b *Browser) Run(expression string, v any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	raw := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if err := json.Unmarshal(raw, &answer); err != nil {
		b.t.Fatal(err)
	}
	if e := answer.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if err := json.Unmarshal(answer.Result.Value, v); err != nil {
		b.t.Fatalf("%s gave %s: %v", expression, answer.Result.Value, err)
	}
}

// Shoot takes a picture of a part of the page, so high at most, as PNG.
func (b *Browser) Shoot(path string, top, width, height int) {
	b.t.Helper()
	var answer struct{ Data string }
	raw := b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": top, "width": width, "height": height, "scale": 1}})
	if err := json.Unmarshal(raw, &answer); err != nil {
		b.t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(answer.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		b.t.Fatal(fmt.Errorf("screenshot: %w", err))
	}
}
