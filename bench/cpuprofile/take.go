package cpuprofile

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// grace is how much longer than the profile its answer may take.
const grace = 10 * time.Second

// Take has a server take its profile and writes it to a file. length is how long
// that takes, which url asks for. The server pays a few per cent of its CPU.
func Take(ctx context.Context, url string, length time.Duration, file string) error {
	ctx, cancel := context.WithTimeout(ctx, length+grace)
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
	body, err := readMost(response.Body, mostPacked)
	switch {
	case err != nil:
		return fmt.Errorf("profile of %s: %w", url, err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("profile of %s: %s: %.100s", url, response.Status, body)
	}
	return os.WriteFile(file, body, 0o644)
}
