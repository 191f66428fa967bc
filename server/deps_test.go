package server

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says which packages of ours each package may import, and why no
// more. A package that is not listed fails the test: give it a line.
var mayImport = map[string]struct {
	ours []string
	why  string
}{
	"poller":                     {nil, "the reactor knows bytes, no protocol: it is usable as a library"},
	"ring":                       {nil, "pure: usable as a library"},
	"decay":                      {nil, "pure: usable as a library"},
	"ring/snapshot":              {[]string{"ring"}, "writes rings down; the ring itself knows no format"},
	"ring/slots":                 {nil, "arithmetic on counts, of any division with owners"},
	"ring/zones":                 {[]string{"ring", "ring/slots"}, "which weights even out a ring's zones; knows no cluster"},
	"ring/preview":               {[]string{"ring"}, "what a change of a ring will do to devices; knows no cluster"},
	"ring/verify":                {[]string{"ring"}, "statistics on ids that somebody else reads; asks a ring where they lead"},
	"decay/window":               {nil, "pure: usable as a library"},
	"decay/dawn":                 {nil, "pure: usable as a library"},
	"decay/plant":                {[]string{"decay"}, "pure: a cluster to try decay on"},
	"server/ws":                  {nil, "RFC 6455 without I/O: usable as a library"},
	"server/jsonscan":            {nil, "JSON text without allocating; for wire and api"},
	"server/wire":                {[]string{"server/jsonscan"}, "the protocol without I/O"},
	"server/idmap":               {nil, "device ids without pointers, for session and inbox"},
	"server/session":             {[]string{"server/idmap"}, "runs without sockets, on opaque handles"},
	"server/inbox":               {[]string{"server/idmap", "server/inbox/journal"}, "rules and stores; knows no connection"},
	"server/presence":            {[]string{"server/idmap"}, "who is where, by what is stored; knows no connection"},
	"server/delivery":            {[]string{"server/inbox", "server/session"}, "runs without sockets, on a sender and a store"},
	"server/client":              {[]string{"server/ws", "server/wire"}, "a device, from the other side"},
	"server/metrics":             {nil, "names only; values come from their owners"},
	"server/cluster":             {[]string{"ring", "ring/snapshot", "ring/slots", "ring/zones", "decay/dawn"}, "etcd only: who is there, which ring is in force; serves no device"},
	"server/member":              {[]string{"decay", "decay/dawn", "ring", "server/admission", "server/cluster", "server/presence"}, "this process in its cluster; what it asks of the server comes in as functions, and Redis is not known"},
	"server/ringmirror":          {[]string{"ring", "server/cluster"}, "what a cluster tells everybody in Redis; knows no node"},
	"server/publisher":           {[]string{"ring", "ring/snapshot", "decay"}, "for backends, by HTTP: drags in neither etcd nor Redis"},
	"server/publisher/redisring": {[]string{"server/publisher", "server/ringmirror"}, "a publisher's source, for those who have Redis' client anyway"},
	"server/fanout":              {nil, "carries messages between nodes; knows neither devices nor rings"},
	"server/mesh":                {[]string{"ring", "server/cluster", "server/fanout", "server/inbox", "server/presence"}, "what nodes say to each other; no socket, etcd or Redis: these are interfaces"},
	"server/api":                 {[]string{"server/jsonscan"}, "declares the interface that it needs of a node"},
	"server/admission":           {nil, "how much and how often, as arithmetic; knows no connection"},
	"server":                     {[]string{"poller", "server/admission", "server/ws", "server/wire", "server/session", "server/metrics", "server/api", "server/inbox", "server/delivery", "server/proxyproto", "server/presence", "server/cluster", "server/fanout", "server/mesh", "ring", "ring/snapshot"}, "joins the parts"},
	"loadgen/plan":               {nil, "pure: schedules and addresses, tested without a clock"},
	"loadgen/usage":              {[]string{"poller"}, "reads processes and the kernel"},

	"loadgen/clock":       {nil, "one time for all processes"},
	"loadgen/stamp":       {nil, "what a message says about itself"},
	"loadgen/tally":       {nil, "what is counted; adds up without loss"},
	"loadgen/threshold":   {nil, "a small language over named numbers"},
	"loadgen/scenario":    {[]string{"loadgen/threshold"}, "values only: opens no file, reads no clock"},
	"loadgen/dialect":     {[]string{"server/ws", "server/wire", "server/jsonscan", "server/client"}, "protocols without I/O"},
	"loadgen/swarm":       {[]string{"loadgen/clock", "loadgen/stamp", "loadgen/tally", "loadgen/scenario", "loadgen/plan", "loadgen/dialect", "poller", "server/ws"}, "one worker; knows no other"},
	"loadgen/preflight":   {[]string{"loadgen/scenario", "loadgen/plan", "loadgen/usage", "poller"}, "what a plan needs against what the machine has, and the kernel for the poller"},
	"loadgen/result":      {[]string{"loadgen/tally"}, "the file; knows nothing of how it came about"},
	"loadgen/validity":    {[]string{"loadgen/tally", "loadgen/scenario", "loadgen/result"}, "pure: what makes a run one"},
	"loadgen/redact":      {nil, "pure: text without secrets, for all that is written down"},
	"loadgen/probe":       {[]string{"loadgen/usage", "loadgen/plan", "loadgen/redact", "loadgen/result"}, "reads the server from outside"},
	"loadgen/live":        {[]string{"loadgen/tally", "loadgen/result", "loadgen/report/svg"}, "shows a run under way, in the numbers of reports; must not touch it"},
	"loadgen/report":      {[]string{"loadgen/tally", "loadgen/result", "loadgen/report/svg"}, "shows a file"},
	"loadgen/link":        {[]string{"loadgen/tally", "loadgen/swarm"}, "what a coordinator and its workers say to each other; no decisions"},
	"loadgen/merge":       {[]string{"loadgen/tally", "loadgen/result"}, "pure: one account of many workers"},
	"loadgen/search":      {nil, "pure: the largest value that holds"},
	"loadgen/worker":      {[]string{"loadgen/link", "loadgen/clock", "loadgen/tally", "loadgen/scenario", "loadgen/swarm", "loadgen/usage"}, "obeys; decides nothing"},
	"loadgen/workerpool":  {[]string{"loadgen/link", "loadgen/clock", "loadgen/worker"}, "who works, not at what"},
	"loadgen/coord":       {[]string{"loadgen/link", "loadgen/merge", "loadgen/worker", "loadgen/workerpool", "loadgen/clock", "loadgen/tally", "loadgen/scenario", "loadgen/threshold", "loadgen/plan", "loadgen/swarm", "loadgen/usage", "loadgen/probe", "loadgen/redact", "loadgen/result", "loadgen/validity", "loadgen/live"}, "joins workers to a run"},
	"loadgen/faultserver": {[]string{"loadgen/tally", "poller", "server/ws"}, "a server of known behaviour; knows nothing of who measures it"},
	"loadgen/calibrate":   {[]string{"loadgen/faultserver", "loadgen/tally", "loadgen/scenario", "loadgen/result", "loadgen/validity", "loadgen/coord", "loadgen/live"}, "whether a run sees what a server of known behaviour does"},
	"loadgen/doctor":      {[]string{"loadgen/calibrate", "loadgen/clock", "loadgen/tally", "loadgen/scenario", "loadgen/result", "loadgen/preflight", "loadgen/usage"}, "the instrument's own figures"},
	"bench/stats":         {nil, "pure: tests and intervals, of any numbers"},
	"bench/compare":       {[]string{"bench/stats", "loadgen/result", "loadgen/tally", "loadgen/report/svg"}, "what two sides' result files say"},
	"bench/cpuprofile":    {nil, "takes and reads profiles; knows no subject"},
	"bench/experiment":    {[]string{"bench/compare", "bench/cpuprofile", "loadgen/result", "loadgen/usage"}, "starts servers and the generator; knows neither's inside"},
	"bench/million":       {[]string{"bench/experiment", "loadgen/result", "loadgen/usage", "poller"}, "drives nodes and the generator by their binaries"},
	"bench/chaos/ledger":  {nil, "pure: what was said of messages, and what became of them"},
	"bench/chaos/fleet":   {[]string{"bench/chaos/ledger", "server/client", "server/wire"}, "devices and publishers; knows roost by its protocol and API"},
	"bench/chaos/rig":     {[]string{"server/engines"}, "processes and ways between them; knows roost by its flags and API"},
	"bench/chaos":         {[]string{"bench/chaos/fleet", "bench/chaos/ledger", "bench/chaos/rig", "bench/experiment", "loadgen/usage", "server/engines", "server/metrics"}, "hurts a cluster of processes, whose metrics it reads by their names"},
	"bench/decaysim":      {[]string{"decay", "decay/window", "decay/plant", "bench/chart", "bench/experiment", "bench/stats", "loadgen/usage"}, "decay in virtual time: no server, no generator"},
	"bench/couplings":     {[]string{"bench/experiment", "decay", "loadgen/usage", "ring", "ring/snapshot", "server/publisher"}, "when weights act: in virtual time by the product's rules, and its publisher against servers of known behaviour"},
	"bench/rings":         {[]string{"bench/experiment", "loadgen/tally", "loadgen/usage", "ring", "server/cluster"}, "changes of the ring as a cluster makes them, on a real etcd"},
	"bench/crossnode":     {[]string{"bench/chaos/rig", "bench/experiment", "loadgen/tally", "loadgen/usage", "server/client", "server/publisher", "server/wire", "server/ws"}, "publisher to device on another node: nodes are processes"},
	"bench/trend":         {[]string{"bench/stats", "bench/compare", "loadgen/result", "loadgen/report/svg"}, "result files over time"},
	"bench/explain":       {[]string{"bench/compare", "bench/cpuprofile", "bench/experiment"}, "where a difference comes from"},
	"loadgen":             {nil, "the map of its packages"},
	"loadgen/listen":      {[]string{"server/client", "server/wire"}, "one device, from the other side"},
	"bench/chart":         {nil, "pictures; knows no subject"},
	"bench":               {[]string{"bench/compare", "bench/cpuprofile", "bench/experiment", "loadgen/result", "bench/stats", "loadgen/plan", "loadgen/usage"}, "drives loadgen and servers"},
	"cmd/roostd":          {[]string{"server", "server/admission", "server/inbox", "server/inbox/journal", "poller", "server/access", "server/cluster", "server/fanout", "server/inbox/redisinbox", "server/member", "server/presence", "server/ringmirror"}, "wires"},
	"cmd/loadgen":         {[]string{"loadgen/listen", "loadgen/clock", "loadgen/link", "loadgen/workerpool", "loadgen/worker", "loadgen/swarm", "loadgen/search", "loadgen/scenario", "loadgen/coord", "loadgen/result", "loadgen/report", "loadgen/live", "loadgen/calibrate", "loadgen/faultserver", "loadgen/doctor", "loadgen/validity", "loadgen/preflight"}, "wires"},
	"cmd/bench":           {[]string{"bench", "bench/chaos", "bench/couplings", "bench/crossnode", "bench/rings", "bench/decaysim", "bench/million", "bench/compare", "bench/experiment", "bench/trend", "bench/explain", "loadgen/result"}, "wires"},
	"cmd/roostctl":        {[]string{"ring", "ring/snapshot", "ring/slots", "ring/zones", "ring/preview", "ring/verify", "bench/chart", "decay/dawn", "server/access", "server/cluster", "server/redisskew"}, "the operator's side: must not know the server"},

	"loadgen/report/svg":      {nil, "charts as inline SVG; knows no subject"},
	"loadgen/report/chromium": {nil, "a browser for tests of pages; what is built does not import it"},
	"loadgen/result/sample":   {[]string{"loadgen/result", "loadgen/tally"}, "made-up results for tests; what is built does not import it"},

	"server/access":                  {nil, "flags and files to addresses and TLS; opens no connection"},
	"server/redisskew":               {[]string{"ring/slots"}, "how a Redis Cluster lies; changes nothing"},
	"server/engines":                 {nil, "etcd and Redis as processes, for tests, benches and desks; what serves devices does not import it"},
	"server/testetcd":                {[]string{"server/engines"}, "real etcd for tests; what is built does not import it"},
	"server/testbin":                 {nil, "the commands for tests; what is built does not import it"},
	"server/testcerts":               {nil, "certificates for tests; what is built does not import it"},
	"server/testredis":               {[]string{"server/engines"}, "real Redis servers for tests; what is built does not import it"},
	"cmd/deskcluster":                {[]string{"server/engines"}, "starts processes; knows them by their flags and API"},
	"server/proxyproto":              {nil, "the PROXY protocol without I/O: usable as a library"},
	"server/inbox/journal":           {nil, "bytes on disk, no meaning: tested with a file system that fails"},
	"server/inbox/redisinbox":        {[]string{"server/inbox"}, "a store on Redis; presence is handed in"},
	"server/inbox/journal/diskfault": {[]string{"server/inbox/journal"}, "a disk that fails, for tests"},
}

// only says which packages may import a third-party one, and why not others.
var only = map[string]struct {
	by  []string
	why string
}{
	"github.com/cloudwego/netpoll":       {[]string{"poller"}, "one place reaches below its public API"},
	"golang.org/x/sys/unix":              {[]string{"poller", "loadgen/usage", "loadgen/clock", "loadgen/swarm", "loadgen/preflight", "bench", "bench/crossnode"}, "raw system calls belong to the reactor; loadgen and bench read clocks and limits, and wait by them"},
	"unsafe":                             {[]string{"poller", "loadgen/usage"}, "as above; usage asks 19,000 sockets how much waits, by a raw ioctl"},
	"github.com/gobwas/ws":               {[]string{"server/ws"}, "its types and cipher are behind our rules"},
	"github.com/VictoriaMetrics/metrics": {[]string{"server/metrics"}, "every metric name is in one place"},
	"github.com/zeebo/xxh3":              {[]string{"ring"}, "one hash places keys"},
	"github.com/HdrHistogram":            {[]string{"loadgen/tally"}, "one kind of histogram"},
	"github.com/goccy/go-yaml":           {[]string{"loadgen/scenario"}, "one reader of scenario files"},
	"golang.org/x/perf":                  {[]string{"bench/stats"}, "statistics of runs that were not paired"},
	"github.com/guptarohit/asciigraph":   {[]string{"loadgen/live"}, "curves in a terminal"},
	"golang.org/x/term":                  {[]string{"loadgen/live"}, "whether there is a terminal, and how wide"},
	"gonum.org/v1/plot":                  {[]string{"bench/chart"}, "pictures have one style"},
	"github.com/google/pprof":            {[]string{"cmd/roostctl", "bench/cpuprofile"}, "profiles are read where they are asked for"},
	"go.etcd.io/etcd":                    {[]string{"server/cluster"}, "membership is behind one interface"},
	"github.com/redis/rueidis":           {[]string{"server/fanout", "server/inbox/redisinbox", "server/presence", "server/ringmirror", "server/redisskew"}, "only the redis implementations"},
}

// pure says which packages do no I/O: they may import none of impure, and
// nothing of a third party but what only gives them.
var (
	pure   = []string{"ring", "ring/snapshot", "ring/slots", "ring/zones", "ring/preview", "ring/verify", "decay", "decay/window", "decay/dawn", "decay/plant"}
	impure = []string{"os", "net", "syscall", "io/fs", "log", "math/rand", "hash/maphash", "unsafe"}
)

// checkPure says what a file of a pure package imports and must not.
func checkPure(t *testing.T, file, pkg, name string) {
	first, _, _ := strings.Cut(name, "/")
	for _, bad := range impure {
		if name == bad || strings.HasPrefix(name, bad+"/") && bad != "math/rand" { // rand/v2 is seeded by who uses it
			t.Errorf("%s imports %s, but %s does no I/O and gives the same each time", file, name, pkg)
		}
	}
	if _, named := only[name]; strings.Contains(first, ".") && !named {
		t.Errorf("%s imports %s, but %s imports nothing of a third party", file, name, pkg)
	}
}

// used is what a package imports of ours, and others of what only gives them.
type used map[[2]string]bool

// checkUnused says which permissions nobody uses: an import that has gone must
// not come back without a reason.
func (u used) checkUnused(t *testing.T) {
	for pkg, rule := range mayImport {
		for _, ours := range rule.ours {
			if !u[[2]string{pkg, ours}] && exists(pkg) {
				t.Errorf("mayImport: %s does not import %s: remove it", pkg, ours)
			}
		}
	}
	for third, rule := range only {
		for _, pkg := range rule.by {
			if !u[[2]string{pkg, third}] && exists(pkg) {
				t.Errorf("only: %s does not import %s: remove it", pkg, third)
			}
		}
	}
}

// exists reports whether there is a package; some have a rule before.
func exists(pkg string) bool {
	files, _ := filepath.Glob(filepath.Join("..", pkg, "*.go"))
	return len(files) > 0
}

// TestImportDirection reads the import clauses of every package, tests
// excepted.
func TestImportDirection(t *testing.T) {
	root, u := "..", used{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != root && (name[0] == '.' || name == "testdata" || name == "node_modules" || isModule(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			checkImports(t, root, file, u)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	u.checkUnused(t)
}

// isModule reports a folder that is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func checkImports(t *testing.T, root, file string, u used) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	rel, _ := filepath.Rel(root, file)
	pkg := filepath.ToSlash(filepath.Dir(rel))
	rule, known := mayImport[pkg]
	if !known {
		t.Errorf("%s: package %q has no line in mayImport", file, pkg)
	}
	for _, spec := range f.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if ours, ok := strings.CutPrefix(name, "roost/"); ok {
			u[[2]string{pkg, ours}] = true
			if !slices.Contains(rule.ours, ours) {
				t.Errorf("%s imports %s: %s %s", file, ours, pkg, rule.why)
			}
			continue
		}
		if slices.Contains(pure, pkg) {
			checkPure(t, file, pkg, name)
		}
		for third, rule := range only {
			if name != third && !strings.HasPrefix(name, third+"/") {
				continue
			}
			u[[2]string{pkg, third}] = true
			if !slices.Contains(rule.by, pkg) {
				t.Errorf("%s imports %s, which belongs to %v: %s", file, name, rule.by, rule.why)
			}
		}
	}
	if path.Base(pkg) == "internal" {
		t.Errorf("%s: packages are named for what they are", file)
	}
}

// TestEachPackageHasOneDoc: the doc comment of a package is in one place.
func TestEachPackageHasOneDoc(t *testing.T) {
	for pkg := range mayImport {
		files, _ := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		docs := 0
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err == nil && f.Doc != nil && !strings.HasSuffix(file, "_test.go") {
				docs++
			}
		}
		if len(files) > 0 && docs != 1 {
			t.Errorf("package %s has %d doc comments, want 1", pkg, docs)
		}
	}
}
