package validity

import "fmt"

const nameRecvQ = "receive queues"

// counters are those of the kernel that tell of trouble, with what it is. They
// are of the whole machine, server included, and none makes a run invalid: what
// they cost is in the latencies, and whose fault it was they do not say.
var counters = []struct{ name, means, mend string }{
	{"ListenOverflows", "Connections that were complete but found the listener's queue full.",
		"The server accepts too slowly or its backlog is short: a client waits a second or more before it tries again. Raise net.core.somaxconn and the server's backlog, or ramp slower."},
	{"ListenDrops", "Connections that a listener dropped, because its queue was full or for another reason.", "As above."},
	{"TCPBacklogDrop", "Segments dropped because a socket's owner was busy and its backlog full.", "Raise receive buffers; the reader is too slow."},
	{"TCPRcvQDrop", "Segments dropped because a receive queue was full.", "Raise receive buffers or net.ipv4.tcp_mem; the reader is too slow."},
	{"RetransSegs", "Segments sent again.", "On loopback it means drops or a stalled receiver; on a network, loss: each costs 200 ms or more."},
	{"TCPTimeWaitOverflow", "Closed connections for which there was no room in TIME_WAIT.", "Raise net.ipv4.tcp_max_tw_buckets, or let the server close first."},
}

// network judges what was left unread, and what the kernel counted.
func (j *judge) network() {
	left := j.worst(func(w *Worker) float64 { return float64(w.RecvQ) })
	j.add(check{name: nameRecvQ, unit: "bytes", value: left.value, advice: true, unknown: left.unknown,
		means: fmt.Sprintf("What was still unread in the sockets of %s at the end of a phase.", left.whose),
		mend:  "This is expected with slow or silent readers; without them, the generator reads too slowly."})
	for _, c := range counters {
		rose, unknown := int64(0), ""
		for i := range j.o.Machines {
			m := &j.o.Machines[i]
			if v, ok := m.Net[c.name]; ok {
				rose += max(v, 0)
			} else {
				unknown = m.name() + " does not tell"
			}
		}
		if len(j.o.Machines) == 0 {
			unknown = "no worker told of its machine"
		}
		j.add(check{name: c.name, unit: "1", value: float64(rose), advice: true, unknown: unknown, means: c.means, mend: c.mend})
	}
}
