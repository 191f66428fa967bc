package bench

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"roost/loadgen"
	"roost/loadgen/usage"
)

var update = flag.Bool("update", false, "write testdata/table.md anew")

// result makes a result whose costs are us microseconds.
func result(us float64) *loadgen.Result {
	l := loadgen.Latency{P50: int64(us * 1e6), P99: int64(2 * us * 1e6)}
	return &loadgen.Result{
		Env:       usage.Env{Kernel: "6.18", CPU: "EPYC", Cores: 2, MemoryMiB: 24105, Go: "go1.26", Congestion: "bbr", Files: 20000},
		Connect:   &loadgen.Connect{ServerSumMicros: 3 * us, PerSecond: 20000},
		Idle:      &loadgen.Idle{Settled: 100 * us, Raw: 200 * us, KernelPair: 8100},
		Broadcast: &loadgen.Broadcast{ServerSumMicros: us, ServerMicros: us - 0.25, Spread: l, FromDue: l, PerSecond: 45000},
		Echo:      &loadgen.Echo{ServerSumMicros: 2 * us, FromDue: l},
	}
}

func TestTableGolden(t *testing.T) {
	opt := PeersOptions{Rounds: 3, Saturated: true, Command: []string{"bench", "peers"}}.withDefaults()
	table := &Table{Options: opt, Began: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Ceiling:  Ceiling{Deliveries: 140000, DeliveriesPerCore: 250000, Echoes: 120000, EchoesPerCore: 150000},
		Subjects: []string{floorName, "roost", "deaf"}, Cells: map[Key]Cell{}}
	table.Rates, table.Notes = opt.ratesUnder(table.Ceiling)
	for round := range 3 {
		machine := []float64{1, 1.25, 0.75}[round]
		for _, p := range opt.phases(table.Rates) {
			table.Cells[Key{round, floorName, p.name}] = Cell{Result: result(6 * machine), Tries: 1}
			table.Cells[Key{round, "roost", p.name}] = Cell{Result: result(4.5 * machine), Tries: 1}
			if p.mode != loadgen.ModeEcho {
				table.Cells[Key{round, "deaf", p.name}] = Cell{Result: result(9 * machine), Tries: 3, Failures: []string{"1 of 9 deliveries are missing"}}
			}
		}
	}
	table.Cells[Key{1, "roost", "broadcast"}] = Cell{Result: result(99), Tries: 3, Invalid: []string{"other work took 0.80 cores"}}
	var got bytes.Buffer
	table.WriteMarkdown(&got)
	const file = "testdata/table.md"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the table is not that of %s (go test -run Golden -update writes it):\n%s", file, got.String())
	}
	// The noisy round is out of the numbers and in the notes.
	if text := got.String(); !strings.Contains(text, "| roost | 4.5") || !strings.Contains(text, "0.75") {
		t.Errorf("roost's numbers are not there:\n%s", text)
	}
}

func TestRatesStayBelowHalfOfTheCeiling(t *testing.T) {
	opt := PeersOptions{}.withDefaults()
	r, notes := opt.ratesUnder(Ceiling{Deliveries: 1e6, Echoes: 1e6})
	if r.Broadcast != 3 || r.Burst != 0.375 || r.Echo != 30000 || len(notes) != 0 {
		t.Errorf("%+v, %q", r, notes)
	}
	r, notes = opt.ratesUnder(Ceiling{Deliveries: 60_000, Echoes: 40_000})
	if r.Broadcast != 2 || r.Echo != 20000 || len(notes) != 2 {
		t.Errorf("%+v, %q", r, notes)
	}
}
