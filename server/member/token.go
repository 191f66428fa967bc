package member

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tokenName is the file in the data directory that holds the token of this node's
// registration, and whose lock says that a process lives with it. It stays when the lock
// is given back: removing it would let two processes hold locks on two files of that name.
const tokenName = "member"

// token is what tells two processes with one id apart. Whoever can take the lock knows
// that the former holder is dead.
type token struct {
	text string
	file *os.File // nil: none, the text is of this process alone
}

// openToken takes the token of a data directory, and makes both if they are missing.
func openToken(dir string) (*token, error) {
	if dir == "" {
		return &token{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, tokenName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	t, err := lockToken(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// lockToken locks f and reads what it holds.
func lockToken(f *os.File) (*token, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is in use by another process: two nodes do not share a data directory; stop that one or choose another directory", f.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		break
	}
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	// A file that was cut off or spoilt is a node without a former life.
	if text := strings.TrimSpace(string(b)); len(text) == len(rand.Text()) && !strings.ContainsFunc(text, notBase32) {
		return &token{text, f}, nil
	}
	text := rand.Text()
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if _, err := f.WriteAt([]byte(text+"\n"), 0); err != nil {
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return &token{text, f}, nil
}

func notBase32(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }

// close gives the lock back.
func (t *token) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// startOf returns a start of a process: Unix milliseconds, never 0.
func startOf(now time.Time) int64 { return max(now.UnixMilli(), 1) }
