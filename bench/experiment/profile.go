package experiment

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// mostProfile bounds a profile.
const mostProfile = 64 << 20

// takeProfile asks the server for a CPU profile once the load has been on for
// PprofAfter. The profile costs the server a few per cent, in every run alike.
func (x *experiment) takeProfile(ctx context.Context, p *process, file string) error {
	if err := pause(ctx, x.PprofAfter); err != nil {
		return fmt.Errorf("the run was over before the profile's begin, after %v", x.PprofAfter)
	}
	url := strings.ReplaceAll(p.place.fill(x.Pprof), "{seconds}", strconv.Itoa(x.PprofSeconds))
	ctx, cancel := context.WithTimeout(ctx, time.Duration(x.PprofSeconds)*time.Second+10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostProfile+1))
	switch {
	case err != nil:
		return fmt.Errorf("profile of %s: %w", url, err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("profile of %s: %s: %.100s", url, response.Status, body)
	case len(body) > mostProfile:
		return fmt.Errorf("profile of %s: more than %d MiB", url, mostProfile>>20)
	}
	return os.WriteFile(file, body, 0o644)
}
