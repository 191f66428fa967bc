package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/plan"
)

// Bounds of kept mode.
const (
	maxPublishers = 128
	maxBatch      = 1000          // lines of one request
	leastKept     = roundSize + 2 // a number in quotes
)

// keptPublisher publishes kept messages over one connection, one request after
// the other, to devices that nobody else publishes to: so the order in which a
// device has to get them is that of their numbers. It belongs to one goroutine.
//
// Message i of publisher p has number i x publishers + p; its device is
// addressee's business.
type keptPublisher struct {
	k    *keptLoad
	no   int
	conn *apiConn

	next int // i of the next message
	free int64
	body []byte
	pubs keptAnswers
	keptTally
}

// keptTally is what publishers count.
type keptTally struct {
	accepted, unknown int            // messages
	refused           map[string]int // messages, by why
	repeats           int            // requests that were sent again
	known             int            // messages that the node had stored at an earlier try
	requests, inTime  int
	tooLate           int
	receivers         int // all: of the last broadcast
	unacked           int // all: broadcasts that not all had acknowledged in time
	api, late         *recorder
	answered          *recorder // from due to the answer
}

func newTally() keptTally {
	return keptTally{refused: map[string]int{}, api: newRecorder(), late: newRecorder(), answered: newRecorder()}
}

// keptAnswers is the answer to a publish.
type keptAnswers struct {
	Results []struct {
		Status    string `json:"status"`
		Reason    string `json:"reason"`
		Duplicate bool   `json:"duplicate"`
		Receivers int    `json:"receivers"`
	} `json:"results"`
}

// run publishes what is due from start to end; with a rate at the times of the
// plan, else one request after the other.
func (p *keptPublisher) run(ctx context.Context, start, end int64) {
	opt := p.k.opt
	s := plan.Schedule{Rate: opt.Rate / float64(opt.Batch)}
	p.free = start
	for i := 0; ctx.Err() == nil; i++ {
		due := max(p.k.s.clock.now(), start)
		if opt.Rate > 0 {
			due = start + int64(s.Due(i*opt.Publishers+p.no))
		}
		if due >= end {
			return
		}
		if !sleepTo(ctx, p.k.s.clock, due) {
			return
		}
		if !p.request(ctx, due, end) {
			return
		}
	}
}

// sleepTo waits until at by the system call: the runtime's timers round up to
// milliseconds.
func sleepTo(ctx context.Context, c clock, at int64) bool {
	const step = int64(100 * time.Millisecond) // so that the end of ctx is seen
	for {
		left := at - c.now()
		if left <= 0 || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		ts := unix.NsecToTimespec(min(left, step))
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: a turn more
	}
}

// request makes one request of Batch messages; false when the run has as many
// as it can.
func (p *keptPublisher) request(ctx context.Context, due, end int64) bool {
	opt := p.k.opt
	p.body = p.body[:0]
	first := p.next
	for range opt.Batch {
		n := uint64(p.next)*uint64(opt.Publishers) + uint64(p.no)
		if n >= maxNumbers {
			return false
		}
		p.k.ledger.open(uint32(n)).due.Store(due)
		p.body = p.k.appendMessage(p.body, uint32(n))
		p.next++
	}
	sent := p.k.s.clock.now()
	// What the node's answers have held up is not the generator's fault.
	late := sent - max(due, p.free)
	if opt.Rate > 0 {
		p.late.record(late)
		if late > int64(plan.MaxLateness) {
			p.tooLate++
		}
		if sent <= end {
			p.inTime++
		}
	}
	p.requests++
	p.publish(ctx, first)
	p.free = p.k.s.clock.now()
	p.api.record(p.free - sent)
	p.answered.record(p.free - due)
	return true
}

// publish has a request answered, over as many tries as Patience allows: its
// messages have ids, so that one which was stored is not stored again.
func (p *keptPublisher) publish(ctx context.Context, first int) {
	opt := p.k.opt
	typ := "application/json"
	if opt.Batch > 1 {
		typ = "application/x-ndjson"
	}
	until := p.k.s.clock.now() + int64(opt.Patience)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		status, answer, err := p.conn.post(typ, p.body)
		again := err != nil || status >= 500 && status != http.StatusInternalServerError
		if again && ctx.Err() == nil && p.k.s.clock.now() < until {
			p.repeats++
			sleepTo(ctx, p.k.s.clock, p.k.s.clock.now()+int64(wait))
			continue
		}
		p.take(first, status, answer, err)
		return
	}
}

// take takes what became of a request's messages.
func (p *keptPublisher) take(first, status int, answer []byte, err error) {
	opt := p.k.opt
	state := uint32(stateUnknown)
	why := fmt.Sprint("no answer: ", err)
	clear(p.pubs.Results[:cap(p.pubs.Results)]) // what an answer leaves out stays as it was
	p.pubs.Results = p.pubs.Results[:0]
	if err == nil {
		if status < 300 {
			err = json.Unmarshal(answer, &p.pubs)
		}
		if why = fmt.Sprintf("HTTP %d: %.200s", status, answer); 400 <= status && status < 500 {
			state = stateRefused
		}
	}
	whole := err == nil && status < 300 && len(p.pubs.Results) == opt.Batch
	for i := range opt.Batch {
		e := p.k.ledger.at(uint32((first+i)*opt.Publishers + p.no))
		if !whole {
			p.refuse(e, state, why)
			continue
		}
		switch r := &p.pubs.Results[i]; r.Status {
		case "written", "queued", "offline", "acknowledged":
			e.state.Or(stateAccepted)
			p.accepted++
			p.k.accepted.Add(1)
			p.receivers = r.Receivers
			if r.Duplicate {
				p.known++
			}
			if opt.All && r.Status != "acknowledged" {
				p.unacked++
			}
		default:
			p.refuse(e, stateRefused, r.Status+" "+r.Reason)
		}
	}
}

func (p *keptPublisher) refuse(e *entry, state uint32, why string) {
	e.state.Or(state)
	p.refused[why]++
	if state == stateUnknown {
		p.unknown++
	}
}

// addressee returns the connection's number of the device of message n: each
// publisher goes round its share of them.
func (k *keptLoad) addressee(n uint32) uint32 {
	publishers := uint32(k.opt.Publishers)
	p, i := n%publishers, n/publishers
	share := (uint32(k.opt.Connections) - p + publishers - 1) / publishers
	return p + publishers*(i%share)
}

// appendMessage appends message n as it is published, a line.
func (k *keptLoad) appendMessage(dst []byte, n uint32) []byte {
	if k.all {
		dst = append(dst, `{"all":true,"class":"kept","wait":`...)
		dst = strconv.AppendFloat(dst, min(k.opt.Patience, maxAPIWait).Seconds(), 'f', 3, 64)
	} else {
		dst = append(append(dst, `{"device":"`...), k.s.deviceName(k.addressee(n))...)
		dst = append(dst, '"')
	}
	dst = append(append(dst, `,"id":"`...), k.id[:roundSize]...)
	var hex [roundSize]byte
	putHex(hex[:], n)
	dst = append(append(dst, hex[:]...), `","payload":`...)
	at := len(dst) + 1
	dst = append(dst, k.payload...)
	copy(dst[at:], hex[:])
	return append(dst, "}\n"...)
}

// maxAPIWait is the longest that the API waits.
const maxAPIWait = 30 * time.Second
