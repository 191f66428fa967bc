package usage

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const netstatText = `TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPBacklogDrop TCPRcvQDrop TCPTimeWaitOverflow
TcpExt: 1 2 3 4 5 6
IpExt: InNoRoutes InOctets
IpExt: 0 77
MPTcpExt: A B C
`

const snmpText = `Tcp: RtoAlgorithm ActiveOpens PassiveOpens AttemptFails EstabResets RetransSegs
Tcp: 1 20 30 -1 50 60
Udp: InDatagrams
Udp: x
`

func TestParseTables(t *testing.T) {
	got := map[string]int64{}
	parseTables(netstatText, got)
	parseTables(snmpText, got)
	for name, want := range map[string]int64{"TcpExt ListenOverflows": 2, "TcpExt TCPTimeWaitOverflow": 6, "IpExt InOctets": 77, "Tcp RetransSegs": 60, "Tcp AttemptFails": -1} {
		if got[name] != want {
			t.Errorf("%s is %d, want %d", name, got[name], want)
		}
	}
	if _, there := got["Udp InDatagrams"]; there {
		t.Error("x is a number")
	}
}

// TestNetCountersCountConnections: a connection over loopback is one active and
// one passive open.
func TestNetCountersCountConnections(t *testing.T) {
	before, err := ReadNetCounters()
	if err != nil {
		t.Fatal(err)
	}
	a, b := pair(t, "127.0.0.1:0")
	defer a.Close()
	defer b.Close()
	after, err := ReadNetCounters()
	if err != nil {
		t.Fatal(err)
	}
	d := after.Sub(before)
	if d.ActiveOpens < 1 || d.PassiveOpens < 1 || d.ListenOverflows < 0 {
		t.Errorf("%+v", d)
	}
	facts := d.Facts()
	if !slices.ContainsFunc(facts, func(f Fact) bool { return f.Name == "ActiveOpens" && f.Value != "0" }) {
		t.Errorf("%v", facts)
	}
	s, err := ReadSockstat()
	if err != nil || s.InUse < 2 || s.Alloc < 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestParseSockstat(t *testing.T) {
	got := parseSockstat("sockets: used 17\nTCP: inuse 2 orphan 1 tw 4 alloc 3 mem 54\nUDP: inuse 9 mem 8\nTCP6: inuse 5\n", 4096)
	if want := (Sockstat{7, 1, 4, 3, 54 * 4096}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// pair connects two sockets.
func pair(t *testing.T, addr string) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skipf("%s: %v", addr, err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// TestRecvQueuesSeeUnreadInput: both ways say the same of this process.
func TestRecvQueuesSeeUnreadInput(t *testing.T) {
	pipe, end, err := os.Pipe() // no socket
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer end.Close()
	end.Write([]byte("waits"))
	for name, read := range map[string]func() (RecvQueues, error){"own": Process(0).RecvQueues, "diag": Process(os.Getpid()).diagQueues} {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(name+" "+addr, func(t *testing.T) { seesUnreadInput(t, addr, read) })
		}
	}
	if _, err := Process(1 << 30).RecvQueues(); err != nil {
		t.Logf("of a process that does not exist: %v", err) // only where anybody has unread input
	}
}

func seesUnreadInput(t *testing.T, addr string, read func() (RecvQueues, error)) {
	a, b := pair(t, addr)
	defer a.Close()
	defer b.Close()
	idle, err := read()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := a.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		want := int64(1000 * (i + 1))
		q, err := read() // on loopback it is there when Write returns
		if err != nil {
			t.Fatal(err)
		}
		if q.Sockets != idle.Sockets+1 || q.Bytes != idle.Bytes+want || q.Longest < want {
			t.Fatalf("%+v, and %+v before %d bytes", q, idle, want)
		}
	}
}

func TestParseDiag(t *testing.T) {
	message := func(kind uint16, body []byte) []byte {
		b := make([]byte, 16, 16+len(body))
		binary.NativeEndian.PutUint32(b, uint32(16+len(body)))
		binary.NativeEndian.PutUint16(b[4:], kind)
		return append(b, body...)
	}
	socket := make([]byte, diagAnswerSize)
	binary.NativeEndian.PutUint32(socket[56:], 77)
	binary.NativeEndian.PutUint32(socket[68:], 99)
	code := make([]byte, 4)
	binary.NativeEndian.PutUint32(code, ^uint32(unix.EPERM)+1)
	for _, c := range []struct {
		name       string
		b          []byte
		n          int
		done, fail bool
	}{
		{"nothing", nil, 0, false, false},
		{"two and the end", slices.Concat(message(unix.SOCK_DIAG_BY_FAMILY, socket), message(unix.SOCK_DIAG_BY_FAMILY, append(socket, 1, 2, 3, 4)), message(unix.NLMSG_DONE, code)), 2, true, false},
		{"another kind", message(99, socket), 0, false, false},
		{"an error", message(unix.NLMSG_ERROR, code), 0, true, true},
		{"a short error", message(unix.NLMSG_ERROR, nil), 0, false, true},
		{"a short socket", message(unix.SOCK_DIAG_BY_FAMILY, socket[:70]), 0, false, true},
		{"cut", message(unix.SOCK_DIAG_BY_FAMILY, socket)[:40], 0, false, true},
	} {
		n := 0
		done, err := parseDiag(c.b, func(s diagSocket) {
			if n++; s != (diagSocket{77, 99}) {
				t.Errorf("%s: %+v", c.name, s)
			}
		})
		if n != c.n || done != c.done || (err != nil) != c.fail {
			t.Errorf("%s: %d sockets, %v, %v", c.name, n, done, err)
		}
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(diagRequest(unix.AF_INET))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseDiag(b, func(diagSocket) {})
	})
}

func TestSocketInode(t *testing.T) {
	for _, c := range []struct {
		link string
		want uint32
		ok   bool
	}{{"socket:[123]", 123, true}, {"pipe:[123]", 0, false}, {"socket:[x]", 0, false}, {"/dev/null", 0, false}} {
		if got, ok := socketInode(c.link); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %d, %v", c.link, got, ok)
		}
	}
}

func TestAddressesHaveLoopback(t *testing.T) {
	list, err := Addresses()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(list, netip.MustParseAddr("127.0.0.1")) {
		t.Skipf("loopback is down: %v", list)
	}
}
