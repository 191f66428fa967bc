package coord

import (
	"fmt"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// busiest is how many names of processes the environment has.
const busiest = 5

// environment is this machine and what else it does.
type environment struct {
	host, sysctl, before []result.Fact
	processes            usage.Processes
	busy, steal          time.Duration
	at                   time.Time
}

func readEnvironment() environment {
	e := environment{host: facts(usage.Host()), sysctl: facts(usage.Sysctls()), before: facts(usage.Load(nil)),
		processes: usage.ReadProcesses(), at: time.Now()}
	e.busy, e.steal = usage.Machine()
	return e
}

// during returns what the machine did since, without the processes that belong
// to the run.
func (e *environment) during(without []usage.Process) []result.Fact {
	out := facts(usage.Load(usage.ReadProcesses().Since(e.processes, busiest, without...)))
	busy, steal := usage.Machine()
	if length := time.Since(e.at).Seconds(); length > 0 && busy > 0 && e.busy > 0 { // 0: it could not be read
		out = append(out, result.Fact{Name: "busy_cores", Value: fmt.Sprintf("%.2f", (busy-e.busy).Seconds()/length)},
			result.Fact{Name: "steal_cores", Value: fmt.Sprintf("%.2f", (steal-e.steal).Seconds()/length)})
	}
	return out
}

func facts(list []usage.Fact) []result.Fact {
	out := make([]result.Fact, len(list))
	for i, f := range list {
		out[i] = result.Fact{Name: f.Name, Value: f.Value}
	}
	return out
}

// ownProcesses are those of this machine that belong to the run.
func (r *run) ownProcesses() (list []usage.Process) {
	for _, m := range r.members {
		if m.Hello.Boot == r.hello.Boot {
			list = append(list, usage.Process(m.Hello.PID))
		}
	}
	list = append(list, usage.Process(r.hello.PID))
	for _, pid := range r.s.Server.PIDs {
		list = append(list, usage.Process(pid))
	}
	return list
}
