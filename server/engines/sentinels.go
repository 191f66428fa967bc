package engines

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// MasterSet is the name of the master that Sentinels watch.
const MasterSet = "roost"

// Sentinels are a master, a replica and three Sentinels that agree by two.
type Sentinels struct {
	// Static after StartSentinels.
	tb        Owner
	data      []*Redis // master of the beginning first
	sentinels []*Redis
}

// StartSentinels runs them until its owner ends. It returns when all know each other and the
// replica is in step. A master that does not answer for 1 s counts as gone. args are added
// to the command lines of master and replica.
func StartSentinels(tb Owner, args ...string) *Sentinels {
	tb.Helper()
	c := &Sentinels{tb: tb}
	for range 2 {
		c.data = append(c.data, start(tb, Redis{extra: args}, false))
	}
	c.data[1].Text("REPLICAOF", "127.0.0.1", fmt.Sprint(c.data[0].port))
	for range 3 {
		c.sentinels = append(c.sentinels, start(tb, Redis{watches: c.data[0].Addr()}, false))
	}
	Await(tb, "the Sentinels know each other and the replica", func() bool {
		for _, s := range c.sentinels {
			info := s.Text("INFO", "sentinel")
			if !strings.Contains(info, "status=ok") || !strings.Contains(info, "slaves=1,sentinels=3") {
				return false
			}
		}
		return strings.Contains(c.data[1].Text("INFO", "replication"), "master_link_status:up")
	})
	return c
}

// sentinelFile writes a Sentinel's configuration, which it changes itself, unless it is there.
func (s *Redis) sentinelFile() string {
	file := filepath.Join(s.dir, "sentinel.conf")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	host, port, _ := net.SplitHostPort(s.watches)
	text := fmt.Sprintf(`port %[1]d
bind 127.0.0.1
dir %[2]s
sentinel monitor %[3]s %[4]s %[5]s 2
sentinel down-after-milliseconds %[3]s %[6]d
sentinel failover-timeout %[3]s 5000
`, s.port, s.dir, MasterSet, host, port, nodeTimeout.Milliseconds())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.tb.Fatalf("writing a Sentinel's configuration: %v", err)
	}
	return file
}

// Addrs returns host:port of the three Sentinels.
func (c *Sentinels) Addrs() []string {
	var addrs []string
	for _, s := range c.sentinels {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Master returns who is the master in the eyes of the first Sentinel.
func (c *Sentinels) Master() *Redis {
	c.tb.Helper()
	v, err := c.sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterSet)
	if addr, _ := v.([]any); err == nil && len(addr) == 2 {
		for _, s := range c.data {
			if s.Addr() == fmt.Sprintf("%v:%v", addr[0], addr[1]) {
				return s
			}
		}
	}
	c.tb.Fatalf("the Sentinel says that the master is %v, %v", v, err)
	return nil
}

// KillMaster ends the master as a crash does and returns it. It does not wait for the
// failover: AwaitMaster does.
func (c *Sentinels) KillMaster() *Redis {
	c.tb.Helper()
	s := c.Master()
	s.Kill()
	return s
}

// AwaitMaster waits until another server than old is the master, in its own eyes too, and returns it.
func (c *Sentinels) AwaitMaster(old *Redis) *Redis {
	c.tb.Helper()
	var now *Redis
	Await(c.tb, "another master", func() bool {
		now = c.Master()
		if now == old || !now.Alive() {
			return false
		}
		info, err := now.Do("INFO", "replication")
		return err == nil && strings.Contains(fmt.Sprint(info), "role:master")
	})
	return now
}

// Failover has the Sentinels make the replica master, as an operator does, and waits until it is. It returns the
// old master.
func (c *Sentinels) Failover() *Redis {
	c.tb.Helper()
	old := c.Master()
	c.sentinels[0].Text("SENTINEL", "FAILOVER", MasterSet)
	c.AwaitMaster(old)
	return old
}

// AwaitReplica waits until a server is a replica in step with its master.
func (c *Sentinels) AwaitReplica(s *Redis) {
	c.tb.Helper()
	Await(c.tb, "the old master is a replica", func() bool {
		v, err := s.Do("INFO", "replication")
		info := fmt.Sprint(v)
		return err == nil && strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up")
	})
}
