package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"roost/ring/verify"

	"github.com/google/pprof/profile"
)

const (
	// grace is how much longer than the profile an answer may take.
	grace = 5 * time.Second
	// mostProfile bounds a profile, packed; mostUnpacked what it may become.
	mostProfile  = 64 << 20
	mostUnpacked = 4 * mostProfile
)

// runProfile is roostctl ring profile.
func runProfile(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring profile", "FILE | --url http://HOST:PORT [--seconds N]", `How much CPU goes into hashing, by a CPU profile: a file, or one that is taken of
a running node (its API address). Up to 8 % is healthy, above 15 % is bad; then the
exit code is 1.`)
	from := f.String("url", "", "API address of a node, `http://host:port`")
	seconds := f.Int("seconds", 10, "how long to take the profile, in `seconds`, 1 to 600")
	asJSON := f.Bool("json", false, "write the result as JSON")
	rest, err := f.take(args, t.out, 0, 1, "one FILE")
	if err != nil {
		return err
	}
	name := ""
	var packed []byte
	switch {
	case len(rest) == 1 && *from != "" || len(rest) == 0 && *from == "":
		return errors.New("say which profile: a FILE, or --url of a node")
	case *seconds < 1 || *seconds > 600:
		return fmt.Errorf("--seconds is %d, must be 1 to 600", *seconds)
	case len(rest) == 1:
		name = rest[0]
		packed, err = readFile(ctx, name, mostProfile, "profile of a node")
	default:
		name = *from
		packed, err = fetchProfile(ctx, *from, *seconds, time.Duration(*seconds)*time.Second+grace)
	}
	if err != nil {
		return err
	}
	h, err := hashingOf(packed)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if *asJSON {
		b, err := json.MarshalIndent(h, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(t.out, string(b))
	} else if err := h.write(t.out); err != nil {
		return err
	}
	switch h.Verdict {
	case verify.Bad:
		return errBad
	case verify.Info:
		return errors.New("nothing is judged: " + h.Notes[0])
	}
	return nil
}

// fetchProfile takes a profile of a node. The answer must be there within limit.
func fetchProfile(ctx context.Context, from string, seconds int, limit time.Duration) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--url is %q: write the API address of a node, such as http://127.0.0.1:8081", from)
	}
	u = u.JoinPath("debug/pprof/profile")
	u.RawQuery = fmt.Sprintf("seconds=%d", seconds)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if errors.Is(err, context.Canceled) {
		return nil, errInterrupted
	} else if err != nil {
		return nil, fmt.Errorf("%w: is that the API address of a node?", err)
	}
	defer resp.Body.Close()
	b, err := readAtMost(resp.Body, mostProfile, u.Host, "profile of a node")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %.200q", u, clean(resp.Status), strings.TrimSpace(string(b)))
	}
	if text := bytes.TrimSpace(b); bytes.HasPrefix(text, []byte("<")) {
		return nil, fmt.Errorf("%s answers %.40q, a page and no profile: is that the API address of a node?", u, text)
	}
	return b, nil
}

// hashingOf reads a profile, packed or not.
func hashingOf(b []byte) (*hashing, error) {
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("no profile: %w", err)
		}
		if b, err = readAtMost(z, mostUnpacked, "the profile, unpacked,", "profile of a node"); err != nil {
			return nil, err
		}
	}
	p, err := profile.ParseUncompressed(b)
	if err != nil {
		return nil, fmt.Errorf("no profile: %w: take one from /debug/pprof/profile", err)
	}
	if err := p.CheckValid(); err != nil {
		return nil, fmt.Errorf("no profile: %w", err)
	}
	return measureHashing(p)
}
