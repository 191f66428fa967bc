// Command worker is one worker by itself, for tests of what it costs. It
// connects clients to a roost node in two steps and prints bytes of memory.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

func main() {
	url := flag.String("url", "", "of the node")
	clients := flag.Int("clients", 0, "how many")
	flag.Parse()
	if err := run(*url, *clients); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url string, clients int) error {
	ramp := func(to int) scenario.Phase {
		return scenario.Phase{Ramp: &scenario.Ramp{To: to, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 20_000}},
			Until: scenario.Until{Kind: scenario.UntilConnected, Share: 1}}
	}
	s := &scenario.Scenario{
		Target:    scenario.Target{URLs: []string{url}, Dialect: "roost", Format: "bin"},
		Clients:   scenario.Clients{Count: clients, Prefix: "lg-", Window: 256, Timeout: 30 * time.Second},
		Groups:    []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}},
		Reconnect: scenario.Reconnect{Policy: scenario.PolicyDialect},
		Phases:    []scenario.Phase{ramp(clients / 2), ramp(clients)},
	}
	fmt.Println("before", status("VmRSS"))
	c := clock.New()
	w, err := swarm.New(swarm.Config{Scenario: s, Workers: 1, Clock: c})
	if err != nil {
		return err
	}
	defer w.Close()
	for i, goal := range []int{clients / 2, clients} {
		if err := w.Begin(i, c.Now()); err != nil {
			return err
		}
		for end := time.Now().Add(time.Minute); w.Progress().Connected < goal && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		w.Settle(nil)
		w.Tick()
		fmt.Println([]string{"half-grown", "grown"}[i], status("VmRSS"))
		debug.FreeOSMemory() // what an idle process comes to by itself
		fmt.Println([]string{"half", "all"}[i], status("VmRSS"))
	}
	fmt.Println("connected", w.Progress().Connected)
	fmt.Println("peak", status("VmHWM"))
	return nil
}

// status reads a line of /proc/self/status, in bytes.
func status(name string) int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb << 10
		}
	}
	return 0
}
