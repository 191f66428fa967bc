package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

// Version is that of the messages. Both ends have to be of the same.
const Version = 4

// Message is one message: exactly one of its fields is set.
type Message struct {
	// From the worker.
	Hello    *Hello          `json:"hello,omitempty"`
	Ready    *Ready          `json:"ready,omitempty"`
	Tick     *Tick           `json:"tick,omitempty"`
	Progress *swarm.Progress `json:"progress,omitempty"`
	Finished *Finished       `json:"finished,omitempty"`
	Settled  *Settled        `json:"settled,omitempty"`
	Pong     *Pong           `json:"pong,omitempty"`

	// From the coordinator.
	Plan   *Plan   `json:"plan,omitempty"`
	Begin  *Begin  `json:"begin,omitempty"`
	Finish *Finish `json:"finish,omitempty"`
	Settle *Settle `json:"settle,omitempty"`
	Ping   *Ping   `json:"ping,omitempty"`
	Done   *Done   `json:"done,omitempty"`

	// From either.
	Fail *Fail `json:"fail,omitempty"`
}

// Hello is a worker's first message. Nothing else is read of it before it has
// been checked, and it is at most MaxHello long.
type Hello struct {
	Version int    `json:"version"`
	Token   string `json:"token"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	// Boot and TimeNS name the machine's clock: two processes with the same
	// boot id and the same time namespace read the same CLOCK_MONOTONIC.
	Boot   string `json:"boot"`
	TimeNS string `json:"time_ns"`
	// Cores and Files are what the worker can use: processors, descriptors.
	Cores int `json:"cores"`
	Files int `json:"files"`
}

// Plan is what a worker is to do.
type Plan struct {
	Scenario string `json:"scenario"` // resolved text
	Worker   int    `json:"worker"`
	Workers  int    `json:"workers"`
	Run      uint32 `json:"run"`
	Shift    int64  `json:"shift"`    // of the clock, ns
	Check    bool   `json:"check"`    // whether the machine is enough is the worker's to find out: nobody else has looked
	Here     int    `json:"here"`     // workers on this machine, which divide its source ports
	Index    int    `json:"index"`    // which of those this one is
	InARow   int    `json:"in_a_row"` // of a ramp's dials, one worker's; the same for all workers
}

// Ready says that the worker can begin.
type Ready struct {
	Clients int `json:"clients"`
}

// Fail gives up, with a reason for people.
type Fail struct {
	Error string `json:"error"`
	// Shortfalls are what the machine lacks, with what mends it, where that is
	// the reason.
	Shortfalls []string `json:"shortfalls,omitempty"`
}

// Begin starts a phase at an instant of the coordinator's clock.
type Begin struct {
	Phase int   `json:"phase"`
	At    int64 `json:"at"`
}

// Tick is what was counted since the last one.
type Tick struct {
	Phase int          `json:"phase"` // the last that began
	At    int64        `json:"at"`    // the run's clock
	Tally *tally.Tally `json:"tally"`
	Self  *Self        `json:"self,omitempty"`
}

// Self is what a worker finds out about its own process and machine. Those of
// the process are sums since the worker was ready, levels, or said otherwise.
type Self struct {
	CPU       time.Duration `json:"cpu"`
	RunDelay  time.Duration `json:"run_delay"`        // that its threads waited for a processor though they could run
	Threads   time.Duration `json:"run"`              // that its threads ran, by the scheduler's own account
	GCPause   *tally.Hist   `json:"gc_pause"`         // since the last tick; nil: none
	Sched     *tally.Hist   `json:"sched"`            // since the last tick: goroutines that could run and did not
	Throttled int64         `json:"throttled"`        // periods in which the cgroup had no time left; -1: unknown
	RSS       int64         `json:"rss"`              // bytes
	PeakRSS   int64         `json:"peak_rss"`         // bytes
	RecvQ     int64         `json:"recv_q"`           // bytes that wait in its sockets; -1: not read at this tick
	PSI       float64       `json:"psi"`              // cpu some avg10 of the machine, %; -1: unknown
	Steal     time.Duration `json:"steal"`            // of the machine; -1: unknown
	Busy      time.Duration `json:"busy"`             // of the machine, all processors; -1: unknown
	Net       Net           `json:"net"`              // of the machine
	Unread    []string      `json:"unread,omitempty"` // what of this could not be read, and why
}

// Net holds the kernel's counters of trouble, of the machine, since the worker
// was ready. Missing ones could not be read.
type Net map[string]int64

// Finish ends the plan of the phase at an instant.
type Finish struct {
	At int64 `json:"at"`
	// Wait is how long answers of the API are waited for.
	Wait time.Duration `json:"wait"`
}

// Finished names what was refused. More says that a further one follows.
type Finished struct {
	Refused []swarm.Refusal `json:"refused,omitempty"`
	More    bool            `json:"more,omitempty"`
}

// Settle closes the accounts, given what was refused of any worker. More says
// that a further one follows.
type Settle struct {
	Refused []swarm.Refusal `json:"refused,omitempty"`
	More    bool            `json:"more,omitempty"`
}

// Settled is the end of a phase.
type Settled struct {
	Tick Tick `json:"tick"`
}

// Ping is answered at once.
type Ping struct {
	At    int64 `json:"at"`    // the coordinator's clock
	Shift int64 `json:"shift"` // what the worker has to add to its own
}

// Pong answers a ping.
type Pong struct {
	At  int64 `json:"at"`  // of the ping
	Own int64 `json:"own"` // the worker's clock, not shifted
}

// Done ends the worker.
type Done struct{}

// errMembers is that a message is not exactly one.
var errMembers = errors.New("a message has exactly one member, of a known kind")

// decode reads a message.
func decode(data []byte) (*Message, error) {
	m := new(Message)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("message of %d bytes: %w", len(data), err)
	}
	n := 0
	for _, set := range []bool{m.Hello != nil, m.Ready != nil, m.Tick != nil, m.Progress != nil, m.Finished != nil, m.Settled != nil,
		m.Pong != nil, m.Plan != nil, m.Begin != nil, m.Finish != nil, m.Settle != nil, m.Ping != nil, m.Done != nil, m.Fail != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return nil, errMembers
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// decodeHello reads a message that has to be a hello.
func decodeHello(data []byte) (*Message, error) {
	var m struct {
		Hello *Hello `json:"hello"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("message of %d bytes: %w", len(data), err)
	}
	if m.Hello == nil {
		return nil, errors.New("the first message is no hello: is this a loadgen worker?")
	}
	return &Message{Hello: m.Hello}, nil
}

// check refuses what would have to be looked out for everywhere else.
func (m *Message) check() error {
	tick := m.Tick
	if m.Settled != nil {
		tick = &m.Settled.Tick
	}
	switch {
	case tick != nil && tick.Tally == nil:
		return errors.New("a tick without a tally")
	case tick != nil && len(tick.Tally.Groups) > maxGroups:
		return fmt.Errorf("a tally of %d groups: at most %d", len(tick.Tally.Groups), maxGroups)
	case m.Plan != nil && (m.Plan.Workers < 1 || m.Plan.Worker < 0 || m.Plan.Worker >= m.Plan.Workers):
		return fmt.Errorf("worker %d of %d", m.Plan.Worker, m.Plan.Workers)
	case m.Plan != nil && (m.Plan.Here < 0 || m.Plan.Index < 0 || m.Plan.Index > 0 && m.Plan.Index >= m.Plan.Here):
		return fmt.Errorf("worker %d of %d on its machine", m.Plan.Index, m.Plan.Here)
	}
	return nil
}

// maxGroups bounds the groups of a tally; scenarios have at most 16.
const maxGroups = 64
