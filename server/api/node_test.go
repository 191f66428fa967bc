package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// fakeNode answers what a test tells it to, and notes what it was asked.
type fakeNode struct {
	got     []*Publication
	results []Result // nil: one that is written for each publication
	err     error
	ready   error
	asked   string
	devices []DeviceSummary
	topics  []Topic
	more    bool
	weight  float64
	books   Consistency
	rings   *RingMark
	stream  func(ctx context.Context, f func(*Event) error) error // nil: returns err
}

func (n *fakeNode) Publish(_ context.Context, ps []*Publication) ([]Result, error) {
	n.got = ps
	if n.results != nil || n.err != nil {
		return n.results, n.err
	}
	results := make([]Result, len(ps))
	for i, p := range ps {
		results[i] = Result{Topic: p.Topic, All: p.All, Status: StatusWritten}
		for _, id := range p.Devices {
			results[i].Devices = append(results[i].Devices, Result{Device: id, Status: StatusWritten})
		}
	}
	return results, nil
}

func (n *fakeNode) Device(_ context.Context, id string) (Device, error) {
	n.asked = "device " + id
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	return Device{Device: id, Online: true, Topics: []string{"fw/eu"}, Connection: &Connection{Since: at, LastInbound: at},
		Presence: &Presence{Status: "online", Node: "n2", Since: at}}, n.err
}

func (n *fakeNode) Devices(_ context.Context, p Page) (devices []DeviceSummary, next string, err error) {
	n.asked = fmt.Sprintf("devices %+v", p)
	if n.more && len(n.devices) > 0 {
		next = n.devices[len(n.devices)-1].Device
	}
	return n.devices, next, n.err
}

const someHash = "0123456789abcdef"

func (n *fakeNode) Route(_ context.Context, device string, failed []string) (Route, error) {
	n.asked = fmt.Sprintf("route %s %q", device, failed)
	return Route{Node: "n2", URL: "ws://192.0.2.2", Ring: 12, Hash: someHash}, n.err
}

func (n *fakeNode) Ring(context.Context) (Ring, error) {
	n.asked = "ring"
	weight := n.weight
	return Ring{Node: "n1", Activation: 1234, From: "etcd", Stable: 12, StableHash: someHash,
		Nodes: []RingNode{{ID: "n1", URL: "ws://192.0.2.1", Weight: &weight}}}, n.err
}

func (n *fakeNode) RingSnapshot(_ context.Context, version uint64, binary bool) (Snapshot, error) {
	n.asked = fmt.Sprintf("snapshot %d %v", version, binary)
	if binary {
		return Snapshot{Body: []byte{0, 255}, Hash: someHash}, n.err
	}
	return Snapshot{Body: []byte(`{"version":12}`), Hash: someHash}, n.err
}

func (n *fakeNode) RingMark() *RingMark { return n.rings }

func (n *fakeNode) Cluster(context.Context) (Cluster, error) {
	n.asked = "cluster"
	return Cluster{Node: "n1", Ring: HeldRing{StableHash: someHash}, Members: []ClusterMember{{ID: "n1"}}}, n.err
}

func (n *fakeNode) RemoveDevice(_ context.Context, id string) error {
	n.asked = "remove " + id
	return n.err
}

func (n *fakeNode) Disconnect(_ context.Context, id string) error {
	n.asked = "disconnect " + id
	return n.err
}

func (n *fakeNode) Topics(_ context.Context, p Page) ([]Topic, bool, error) {
	n.asked = fmt.Sprintf("topics %+v", p)
	return n.topics, n.more, n.err
}

func (n *fakeNode) Topic(_ context.Context, name string) (Topic, error) {
	n.asked = "topic " + name
	return Topic{Topic: name, Subscribers: 3}, n.err
}

func (n *fakeNode) ClearTopic(_ context.Context, name string) error {
	n.asked = "clear " + name
	return n.err
}

func (n *fakeNode) Subscribe(_ context.Context, device, topic string, on bool) error {
	n.asked = fmt.Sprintf("subscribe %s %s %v", device, topic, on)
	return n.err
}

func (n *fakeNode) Events(ctx context.Context, filter EventFilter, f func(*Event) error) error {
	n.asked = fmt.Sprintf("events %+v", filter)
	if n.stream != nil {
		return n.stream(ctx, f)
	}
	return n.err
}

func (n *fakeNode) Consistency(context.Context) (Consistency, error) { return n.books, n.err }

func (n *fakeNode) Ready() error { return n.ready }

func (n *fakeNode) WriteMetrics(w io.Writer) { io.WriteString(w, "roost_devices 7\n") }

// lateBody stands for a body that does not arrive before the server's deadline.
const lateBody = "late"

// call serves one request, holds the answer to the OpenAPI file and returns it,
// with the route and status that were counted. header are name, value pairs.
func call(t testing.TB, n *fakeNode, method, path, body string, header ...string) (rec *httptest.ResponseRecorder, counted string) {
	t.Helper()
	route := ""
	h := NewHandler(n, func(r string, status int, took time.Duration) {
		route, counted = r, fmt.Sprintf("%s %d", r, status)
	})
	rec = httptest.NewRecorder()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == lateBody {
		req.Body = io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded))
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(rec, req)
	if err := theSpec().conforms(method, route, rec.Result(), rec.Body.Bytes()); err != nil {
		t.Errorf("%s %s: %v\nanswer: %d %v %s", method, path, err, rec.Code, rec.Header(), rec.Body)
	}
	return rec, counted
}

// publish posts one message.
func publish(t testing.TB, n *fakeNode, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	rec, counted := call(t, n, http.MethodPost, "/v1/publish", body, header...)
	if want := fmt.Sprintf("/v1/publish %d", rec.Code); counted != want {
		t.Errorf("counted as %q, want %q", counted, want)
	}
	return rec
}
