package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"roost/loadgen/plan"
)

func TestReadThisMachine(t *testing.T) {
	s := holding(10)
	s.Target.URLs = []string{"ws://localhost:8080/x", "ws://127.0.0.1/y"}
	m, err := Read(context.Background(), s, Workers{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if m.Cores < 1 || m.Ports.Len() < 1 || m.MemoryFree <= 0 || m.TCPMem <= 0 || m.FilesUsed <= 0 || !m.ServerHere() || len(m.Unusable) != 0 {
		t.Errorf("%+v", m)
	}
	if len(m.Destinations) != 2 || m.Destinations[0].Port() != 8080 || m.Destinations[1] != netip.MustParseAddrPort("127.0.0.1:80") {
		t.Errorf("%v", m.Destinations)
	}
	t.Logf("%+v\n%v", m, Check(s, Workers{1, 1}, m))
}

func TestReadSaysWhatIsWrongWithAURL(t *testing.T) {
	for _, raw := range []string{"ws://", "ws://127.0.0.1:x/", "ws://127.0.0.1:99999/", "ws://no.such.host.invalid/"} {
		s := holding(1)
		s.Target.URLs = []string{"ws://127.0.0.1/", raw}
		if _, err := Read(context.Background(), s, Workers{1, 1}); err == nil || !strings.Contains(err.Error(), "target.urls[1]") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestReadTriesSources: one that nobody here has is found out.
func TestReadTriesSources(t *testing.T) {
	s := holding(10)
	s.Target.URLs, s.Clients.Sources = []string{"ws://203.0.113.1:80/"}, []string{"203.0.113.9"}
	m, err := Read(context.Background(), s, Workers{1, 1})
	if err != nil || len(m.Unusable) != 1 || m.Unusable[0].Addr != netip.MustParseAddr("203.0.113.9") || m.ServerHere() {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := tryBind(netip.MustParseAddr("127.9.9.9")); err != nil {
		t.Error(err)
	}
	if err := tryBind(netip.MustParseAddr("2001:db8::1")); err == nil {
		t.Error("2001:db8::1 is ours")
	}
}

func TestNumber(t *testing.T) {
	if number("1 2 x 9223372036854775808", 1) != 2 || number("1 x", 1) != 0 || number("", 0) != 0 || number("9223372036854775808", 0) != 0 {
		t.Error("numbers are read wrongly")
	}
}

// TestFewPorts: in a network namespace with 60 ports, of which 10 are reserved,
// the arithmetic says to the connection how many can be made.
func TestFewPorts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("NOT TESTED: no network namespace to be had: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// fewPorts runs in the namespace.
func fewPorts() error {
	if err := loopbackUp(); err != nil {
		return err
	}
	for name, value := range map[string]string{"ip_local_port_range": "40000 40059", "ip_local_reserved_ports": "40010-40019"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:5000")
	if err != nil {
		return err
	}
	defer ln.Close()
	s := holding(101)
	s.Target.URLs = []string{"ws://127.0.0.1:5000/"}
	s.Clients.Sources = []string{"127.0.0.1", "127.0.0.2"}
	m, err := Read(context.Background(), s, Workers{1, 1})
	if err != nil {
		return err
	}
	list := Check(s, Workers{1, 1}, m)
	if len(list) != 1 || !strings.Contains(list[0].String(), "101 connections, 3 sources") || !strings.Contains(list[0].String(), "at most 100 connections") {
		return fmt.Errorf("%v with %+v", list, m)
	}
	s.Clients.Count = 100
	s.Phases[0].Ramp.To = 100
	if list := Check(s, Workers{1, 1}, m); len(list) != 0 {
		return fmt.Errorf("100 do not fit: %v", list)
	}
	pool, err := plan.NewPool(plan.PoolConfig{Sources: s.Clients.Sources, Destinations: m.Destinations, Clients: 100, Ports: m.Ports, System: m.Ports, Reserved: m.Reserved})
	if err != nil {
		return err
	}
	for i := range 100 {
		if err := dial(pool.At(i), pool.Ports(0)); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	if err := dial(pool.At(0), pool.Ports(0)); !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("one more: %v", err)
	}
	return nil
}

// loopbackUp brings the interface of a new namespace up.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// dial connects from a source within a range, as a worker does; the connection
// stays.
func dial(from netip.Addr, ports plan.Ports) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, int(ports[1])<<16|int(ports[0])); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
		return err
	}
	return unix.Connect(fd, &unix.SockaddrInet4{Port: 5000, Addr: [4]byte{127, 0, 0, 1}})
}
