package scenario

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// What connections take. Kernel memory is of an idle TCP socket with its file
// and its place in an epoll, measured: 3.9 to 4.05 KB.
const (
	KernelBytesPerEnd  = 4050
	UserBytesPerClient = 300 // the most that a worker may take
	perWorkerFiles     = 200 // beside connections: API, coordinator, runtime
)

// DryRun writes what s will do and what it takes, without doing it. Whether
// this machine has that is another question (package preflight). The error is
// w's.
func DryRun(w io.Writer, s *Scenario) error {
	plan := s.Plan()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", s.Name, orNone(s.Description))
	fmt.Fprintf(&b, "%s clients speak %s to %s; seed %d\n\n", grouped(uint64(s.Clients.Count)), s.Target.Dialect, some(s.Target.URLs), s.Seed)
	planTable(&b, s, &plan)
	b.WriteString("\nconnections over time\n")
	curve(&b, s, &plan)
	fmt.Fprintf(&b, "\nall together, at least: %s\n", roundTime(plan.Length))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tdials\t%s\tpeak\t%s/s\t\n", grouped(plan.TotalDials), rate(plan.PeakDialRate))
	fmt.Fprintf(t, "\tmessages\t%s\tpeak\t%s/s\t\n", grouped(plan.TotalMessages), rate(plan.PeakSendRate))
	fmt.Fprintf(t, "\tdeliveries\t%s\tpeak\t%s/s\t\n", grouped(plan.ExpectedDeliveries), rate(plan.PeakDeliveryRate))
	t.Flush()
	needs(&b, &plan)
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(s string) string {
	if s == "" {
		return "no description"
	}
	return s
}

// some names the first of many.
func some(list []string) string {
	if len(list) == 0 {
		return "nowhere"
	}
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}

func planTable(b *strings.Builder, s *Scenario, plan *Plan) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tstart\tlength\tconnections\tdials\tmessages\tdeliveries\tpeak dials/s\tsent/s\tdelivered/s\t")
	for i := range plan.Phases {
		p := &plan.Phases[i]
		length := roundTime(p.Length)
		if p.Open {
			length = ">= " + length
		}
		conns := grouped(uint64(p.From))
		if p.To != p.From {
			conns += " > " + grouped(uint64(p.To))
		}
		name := p.Name
		if s.Phases[i].Warmup {
			name += " (warm-up)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, roundTime(p.Start), length, conns,
			grouped(p.Dials), grouped(p.Messages), grouped(p.Deliveries), rate(p.DialRate), rate(p.SendRate), rate(p.DeliveryRate))
	}
	t.Flush()
}

// roundTime drops what nobody reads.
func roundTime(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// grouped writes 1,234,567.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate writes a rate, a small one with two digits that say something.
func rate(x float64) string {
	if x < 10 && x != math.Trunc(x) {
		digits := max(1-int(math.Floor(math.Log10(x))), 1)
		return strconv.FormatFloat(x, 'f', min(digits, 6), 64)
	}
	return grouped(uint64(math.Round(x)))
}

// Size of the curve of connections.
const (
	curveWidth  = 72
	curveHeight = 4
)

// curve draws connections over time by columns of eighths.
func curve(b *strings.Builder, s *Scenario, plan *Plan) {
	top := max(plan.MaxConnections, 1)
	columns := make([]int, curveWidth)
	for i := range columns {
		columns[i] = s.connectionsAt(plan, time.Duration(float64(plan.Length)*(float64(i)+0.5)/curveWidth))
	}
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	for row := curveHeight - 1; row >= 0; row-- {
		label := ""
		if row == curveHeight-1 {
			label = grouped(uint64(top))
		}
		fmt.Fprintf(b, "%11s |", label)
		line := make([]rune, curveWidth)
		for i, n := range columns {
			eighths := (n*curveHeight*8 + top - 1) / top // what is there is seen
			line[i] = blocks[min(max(eighths-row*8, 0), 8)]
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	fmt.Fprintf(b, "%11s +%s\n%13s0s%*s\n", "0", strings.Repeat("-", curveWidth), "", curveWidth-2, roundTime(plan.Length))
}

// connectionsAt returns how many are planned at t.
func (s *Scenario) connectionsAt(plan *Plan, t time.Duration) int {
	for i := range plan.Phases {
		if p := &plan.Phases[i]; t < p.Start+p.Length {
			return int(s.Phases[i].connections(t-p.Start, p.From))
		}
	}
	return 0
}

func needs(b *strings.Builder, plan *Plan) {
	n := uint64(plan.MaxConnections)
	fmt.Fprintf(b, "\nit takes\n")
	fmt.Fprintf(b, "  descriptors    %s for connections, and about %d for each worker\n", grouped(n), perWorkerFiles)
	fmt.Fprintf(b, "  kernel memory  %s here, and as much at the server's end\n", mega(n*KernelBytesPerEnd))
	fmt.Fprintf(b, "  user memory    at most %s in the workers\n", mega(n*UserBytesPerClient))
	fmt.Fprintf(b, "  source ports   %s; a source address gives 10,000 to each destination as a rule\n", grouped(n))
}

func mega(n uint64) string {
	if n >= 10_000_000_000 {
		return fmt.Sprintf("%s GB", grouped((n+500_000_000)/1_000_000_000))
	}
	return fmt.Sprintf("%s MB", grouped((n+999_999)/1_000_000))
}
