package experiment

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"roost/bench/cpuprofile"
)

// takeProfile asks the server for a CPU profile once the load has been on for
// PprofAfter. What it costs the server is in every run alike.
func (x *experiment) takeProfile(ctx context.Context, p *process, file string) error {
	if err := pause(ctx, x.PprofAfter); err != nil {
		return fmt.Errorf("the run was over before the profile's begin, after %v", x.PprofAfter)
	}
	url := strings.ReplaceAll(p.place.fill(x.Pprof), "{seconds}", strconv.Itoa(x.PprofSeconds))
	return cpuprofile.Take(ctx, url, time.Duration(x.PprofSeconds)*time.Second, file)
}
