package live

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

var (
	sampleLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)`)
)

// series is one of a scrape.
type series struct {
	family string
	labels map[string]string
	value  float64
}

// parse reads an exposition as strictly as the format is written down: HELP and
// TYPE before samples, a family in one piece, no series twice, histograms whose
// buckets ascend to their count.
func parse(text string) (map[string]series, error) {
	all, types, lastFamily := map[string]series{}, map[string]string{}, ""
	buckets := map[string]float64{} // the last of each histogram series
	bound := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := lines.Text()
		if rest, ok := strings.CutPrefix(l, "# HELP "); ok {
			lastFamily, _, _ = strings.Cut(rest, " ")
			continue
		}
		if rest, ok := strings.CutPrefix(l, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if types[name] != "" || name != lastFamily || !slices.Contains([]string{"counter", "gauge", "histogram"}, kind) {
				return nil, fmt.Errorf("type %q", l)
			}
			types[name] = kind
			continue
		}
		m := sampleLine.FindStringSubmatch(l)
		if m == nil {
			return nil, fmt.Errorf("line %q", l)
		}
		kind, suffix := types[lastFamily], strings.TrimPrefix(m[1], lastFamily)
		if kind == "" || !strings.HasPrefix(m[1], lastFamily) || suffix != "" && (kind != "histogram" || !slices.Contains([]string{"_bucket", "_sum", "_count"}, suffix)) {
			return nil, fmt.Errorf("%q in family %q of type %q", l, lastFamily, kind)
		}
		s := series{family: lastFamily, labels: map[string]string{}}
		for rest := m[3]; rest != ""; {
			p := labelPair.FindStringSubmatch(rest)
			if p == nil || s.labels[p[1]] != "" {
				return nil, fmt.Errorf("labels of %q", l)
			}
			s.labels[p[1]], rest = p[2], rest[len(p[0]):]
		}
		v, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			return nil, fmt.Errorf("value of %q: %w", l, err)
		}
		s.value = v
		key := m[1] + "{" + m[3] + "}"
		if _, twice := all[key]; twice {
			return nil, fmt.Errorf("%s comes twice", key)
		}
		all[key] = s
		if kind == "histogram" {
			id := lastFamily + s.labels["phase"]
			switch suffix {
			case "_bucket":
				le, err := strconv.ParseFloat(s.labels["le"], 64)
				if b, begun := bound[id]; err != nil || begun && le <= b || v < buckets[id] {
					return nil, fmt.Errorf("bucket %q after %v", l, buckets[id])
				}
				bound[id], buckets[id] = le, v
			case "_count":
				if !math.IsInf(bound[id], 1) || buckets[id] != v {
					return nil, fmt.Errorf("%q, but the last bucket is %v of %v", l, bound[id], buckets[id])
				}
			}
		}
	}
	return all, lines.Err()
}

// scrape gets the metrics.
func scrape(t *testing.T, p *Prometheus) string {
	t.Helper()
	resp, err := http.Get("http://" + p.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return string(b)
}

// TestScrape: what is in a frame is there, valid, and as in testdata.
func TestScrape(t *testing.T) {
	p, err := ServePrometheus(":0")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("listens at %v", p.Addr())
	}
	if got := scrape(t, p); !strings.HasPrefix(got, "# ") {
		t.Errorf("before the first frame %q", got)
	}
	p.Show(first())
	p.Show(busy())
	got := scrape(t, p)
	all, err := parse(got)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{
		`loadgen_connected{}`: 990, `loadgen_delivered_total{}`: 118_790, `loadgen_lost_connections_total{}`: 0,
		`loadgen_errors_total{stage="dial",class="ECONNREFUSED"}`: 5, `loadgen_check_ok{check="send lag p99"}`: 0,
		`loadgen_threshold_ok{threshold="lost == 0"}`: 0, `loadgen_threshold_value{threshold="delivery.max < 1s"}`: math.Inf(1),
		`loadgen_delivery_seconds_count{phase="hold"}`: 4003, `loadgen_delivery_seconds_bucket{phase="hold",le="60"}`: 4000,
		`loadgen_delivery_seconds_bucket{phase="hold",le="0.002"}`: 1000, `loadgen_delivery_seconds_bucket{phase="hold",le="0.005"}`: 3000, `loadgen_server_rss_bytes{}`: 123 << 20,
	} {
		if s, ok := all[key]; !ok || s.value != want {
			t.Errorf("%s is %v (%v), want %v", key, s.value, ok, want)
		}
	}
	path := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != got {
		t.Errorf("differs from %s (go test ./loadgen/live -update writes it): %v", path, err)
	}
	if err := p.Done(nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Done(nil); err != nil {
		t.Fatal(err)
	}
}

// TestPhasesKeepTheirHistograms, so that no counter falls.
func TestPhasesKeepTheirHistograms(t *testing.T) {
	p := &Prometheus{}
	f := busy()
	for i, name := range []string{"ramp", "hold", "storm"} {
		for n := range 3 {
			f.Index, f.Phase, f.Delivery = 2*i, name, hist(uint64(n+1), time.Millisecond)
			p.Show(f)
		}
	}
	all, err := parse(string(p.shown.Load().write()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ramp", "hold", "storm"} {
		if s := all[`loadgen_delivery_seconds_count{phase="`+name+`"}`]; s.value != 3 {
			t.Errorf("%s has %v deliveries, want 3", name, s.value)
		}
	}
}

// TestAnyExpositionParses, whatever is said.
func TestAnyExpositionParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.String().Draw(t, "said") + string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes"))
		f := busy()
		f.Scenario, f.Phase, f.State = said, said, said
		f.Thresholds = []result.Threshold{{Text: said, Value: math.NaN()}, {Text: said}, {Text: said + "\""}, {Text: said, State: "unknown"}}
		f.Validity = []result.Check{{Name: said, Unit: said, Value: math.Inf(-1)}}
		f.AllErrors = tally.Errors{{Stage: said, Class: said}: 1, {Stage: "dial", Class: said}: 1}
		p := &Prometheus{}
		p.Show(f)
		if _, err := parse(string(p.shown.Load().write())); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFoldAgainstRecords: each bucket has what was recorded up to its bound, but
// for what is within the histogram's error of it.
func TestFoldAgainstRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 2*tally.MaxValue), 0, 50).Draw(t, "values")
		h := tally.NewHist()
		for _, v := range values {
			h.Record(v)
		}
		b := fold(h)
		if b.count != uint64(len(values)) || b.upTo[len(bounds)-1] > b.count {
			t.Fatalf("%d of %d", b.upTo[len(bounds)-1], b.count)
		}
		for i, bound := range bounds[:len(bounds)-1] {
			least, most := uint64(0), uint64(0)
			for _, v := range values {
				if float64(v) <= float64(bound)*.998-512 {
					least++
				}
				if v <= bound {
					most++
				}
			}
			if b.upTo[i] < least || b.upTo[i] > most {
				t.Fatalf("up to %d: %d, want %d to %d", bound, b.upTo[i], least, most)
			}
		}
	})
}

// TestScrapesAndFramesAtOnce: scrapers, and those that never read what they
// asked for, do not disturb each other or the run.
func TestScrapesAndFramesAtOnce(t *testing.T) {
	p, err := ServePrometheus("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for range maxScrapes {
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	var scrapers sync.WaitGroup
	over := make(chan struct{})
	for range 3 {
		scrapers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				resp, err := http.Get("http://" + p.Addr().String() + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if _, err := parse(string(b)); resp.StatusCode == http.StatusOK && err != nil && !strings.HasPrefix(string(b), "# the first") {
					t.Error(err)
				}
			}
		})
	}
	f := busy()
	for i := range 40 {
		f.Connected, f.Errors[0].Text, f.Total.Delivered = i, strconv.Itoa(i), uint64(i)
		f.Delivery.Record(int64(i) * 1e6)
		p.Show(f)
	}
	close(over)
	scrapers.Wait()
	if err := p.Done(nil); err != nil {
		t.Fatal(err)
	}
}

// TestWhereItCannotListen it says so.
func TestWhereItCannotListen(t *testing.T) {
	p, err := ServePrometheus("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Done(nil)
	for _, addr := range []string{"", "nonsense", "127.0.0.1", "127.0.0.1:x", p.Addr().String()} {
		if _, err := ServePrometheus(addr); err == nil || !strings.HasPrefix(err.Error(), "metrics") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
