package swarm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
	"roost/server/ws"
)

// New returns a worker whose loop runs and that does nothing yet. The error says
// what of the scenario cannot be done.
func New(cfg Config) (*Worker, error) {
	s := cfg.Scenario
	switch {
	case s == nil || cfg.Clock == nil:
		return nil, fmt.Errorf("swarm: a scenario and a clock are needed")
	case cfg.Workers < 1 || cfg.Worker < 0 || cfg.Worker >= cfg.Workers:
		return nil, fmt.Errorf("swarm: worker %d of %d: want 0 to %d of at least 1", cfg.Worker, cfg.Workers, cfg.Workers-1)
	case len(s.Groups) > maxGroups:
		return nil, fmt.Errorf("swarm: %d groups of clients: want at most %d", len(s.Groups), maxGroups)
	}
	t, err := resolve(&cfg)
	if err != nil {
		return nil, fmt.Errorf("swarm: %w", err)
	}
	w := &Worker{cfg: cfg, s: s, targets: t, begun: -1, total: uint32(s.Clients.Count),
		count: uint32(plan.Shard(s.Clients.Count, cfg.Worker, cfg.Workers))}
	w.level.phase.Store(-1)
	w.groups = newGroups(s)
	w.window = max(s.Clients.Window/cfg.Workers, 1)
	w.rng = rand.New(rand.NewPCG(plan.Seed(s.Seed, uint64(cfg.Worker), seedWorker), uint64(cfg.Run)))
	w.chooseTopics()
	if w.d, err = dialect.New(s.Target.Dialect, dialect.Config{
		Clients: int(w.count), Name: w.name, Topics: w.topicNames, Format: s.Target.Format, Path: t.path,
		API: t.firstAPI(s), To: audiences(s), Resume: s.Reconnect.Resume, Seed: s.Seed}); err != nil {
		return nil, fmt.Errorf("swarm: %w", err)
	}
	if err := w.checkPublishing(); err != nil {
		return nil, err
	}
	w.clients = make([]client, w.count)
	for i := range w.clients {
		w.clients[i].group = uint8(w.groups.of(w.global(uint32(i))))
	}
	w.rec.init(len(w.groups.list))
	w.rec.stamped, w.rec.stampSeed = s.Measure.KernelStamps, plan.Seed(s.Seed, seedStamps)
	w.setClock()
	w.apis = newAPIs(t)
	w.posts.most = mostPosts(openFiles()-int(w.count)-w.window, len(w.apis))
	if err := w.start(); err != nil {
		return nil, fmt.Errorf("swarm: %w", err)
	}
	return w, nil
}

// mostPosts is how many requests an API may get at once, where clients leave so
// many descriptors.
func mostPosts(files, apis int) int {
	return min(max((files-reserveFiles)/max(apis, 1), scenario.LeastInFlight(apis)), MaxPosts)
}

// reserveFiles are descriptors of a worker that are no connections, with some to
// spare.
const reserveFiles = 256

// openFiles is the limit of descriptors; a worker has raised it as far as it may.
func openFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}

// maxGroups is what the index of a group in an account allows.
const maxGroups = 255

// Purposes of randomness, so that no two depend on each other.
const (
	seedWorker = 1 + iota
	seedGroups
	seedTopics
	seedStamps
	seedRamp
	seedArrivals
	seedDevices
	seedSizes
	seedStorm
	seedSlow
	seedHalfOpen
	seedChurn
)

// start opens the loop and has it work.
func (w *Worker) start() (err error) {
	w.config = ws.Config{Role: ws.Client, Limits: ws.Limits{Frame: largestMessage, Message: largestMessage, Inflated: largestMessage}}
	w.p, err = poller.New(poller.Options{
		Loops:        1,
		MaxConns:     2*int(w.count) + w.window + len(w.apis)*w.posts.most,        // twice: while old ones end
		Limits:       []poller.Limits{{Messages: 1 << 16, Bytes: largestMessage}}, // what is due is sent, however late
		IOUring:      poller.IOUringOff,
		WriteTimeout: max(w.s.Clients.Timeout, time.Second),
		NewHandler: func(l *poller.Loop) poller.Handler {
			w.l = l
			w.config.Buffers = l.Buffers()
			w.spare = new(ws.Parser)
			w.spare.Reset(&w.config)
			w.sink.w = w
			return w
		},
	})
	if err != nil {
		return err
	}
	w.pace.start(w)
	return nil
}

// largestMessage bounds what a server can make us hold for one connection, and
// what waits for one that does not read, in bytes.
const largestMessage = 16 << 20

// audiences returns whom the scenario publishes to.
func audiences(s *scenario.Scenario) []string {
	to := []string{}
	for i := range s.Phases {
		for _, p := range s.Phases[i].Publish {
			if !slices.Contains(to, string(p.To)) {
				to = append(to, string(p.To))
			}
		}
	}
	return to
}

// checkPublishing asks the dialect whether it can do what is planned.
func (w *Worker) checkPublishing() error {
	for i := range w.s.Phases {
		for _, p := range w.s.Phases[i].Publish {
			to := string(p.To)
			err := w.d.Supports(to, p.Class)
			if err == nil && p.To == scenario.ToTopic && w.s.Topics.Count < 1 {
				err = fmt.Errorf("publish to topic: topics.count is 0")
			}
			if err == nil && w.d.Publishing(to) == dialect.Nowhere {
				err = fmt.Errorf("dialect %s cannot publish to %s", w.s.Target.Dialect, to)
			}
			if err == nil && (p.Batch > 1 || p.Wait > 0 || p.Retry) {
				err = w.checkRequests(&p)
			}
			if err == nil && w.d.Publishing(to) == dialect.ByHTTP && len(w.targets.apis) == 0 {
				err = fmt.Errorf("dialect %s publishes to %s over HTTP: target.apis is empty", w.s.Target.Dialect, to)
			}
			if err != nil {
				return fmt.Errorf("swarm: phase %q: %w", w.s.Phases[i].Name, err)
			}
		}
	}
	return nil
}

// checkRequests asks whether messages can be put into requests as planned.
func (w *Worker) checkRequests(p *scenario.Publish) error {
	_, can := w.d.(dialect.Batcher)
	switch {
	case !can || w.d.Publishing(string(p.To)) != dialect.ByHTTP:
		return fmt.Errorf("dialect %s has one message in a request, does not answer for acknowledgements, and knows no message again", w.s.Target.Dialect)
	case p.Retry && (p.Class != "kept" || p.To == scenario.ToTopic):
		return fmt.Errorf("publish.retry is for kept messages to devices, a node or all")
	case p.Batch > 1 && (len(w.targets.apis) > 1 || p.Arrival.Burst%p.Batch != 0):
		return fmt.Errorf("publish.batch %d: want one API, and a burst that is a multiple of it", p.Batch)
	}
	return nil
}

// name returns a client's name: prefix000001 and on.
func (w *Worker) name(i uint32) string { return w.clientName(w.global(i)) }

// clientName is name for a client of any worker.
func (w *Worker) clientName(c uint32) string {
	var digits [10]byte
	d := strconv.AppendUint(digits[:0], uint64(c)+1, 10)
	b := make([]byte, 0, 32)
	b = append(b, w.s.Clients.Prefix...)
	for range 6 - len(d) {
		b = append(b, '0')
	}
	return string(append(b, d...))
}

// topicName returns a topic's name: prefix0 and on.
func topicName(prefix string, i int) string { return prefix + strconv.Itoa(i) }

// global returns the number of a client among those of all workers.
func (w *Worker) global(i uint32) uint32 { return i*uint32(w.cfg.Workers) + uint32(w.cfg.Worker) }

// local is the reverse of global; ok is false for a client of another worker.
func (w *Worker) local(c uint32) (i uint32, ok bool) {
	n := uint32(w.cfg.Workers)
	return c / n, c%n == uint32(w.cfg.Worker)
}
