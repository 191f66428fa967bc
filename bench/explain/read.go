package explain

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/google/pprof/profile"
)

const (
	// mostProfile bounds a profile, packed; mostUnpacked what it may become.
	mostProfile  = 64 << 20
	mostUnpacked = 4 * mostProfile
)

// readProfile reads a CPU profile of a file.
func readProfile(path string) (*profile.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readMost(f, mostProfile)
	if err == nil && bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			data, err = readMost(unpacked, mostUnpacked)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := profile.ParseUncompressed(data)
	if err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no profile: %w", path, err)
	}
	return p, nil
}

func readMost(r io.Reader, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("larger than %d MiB: no CPU profile is", most>>20)
	}
	return data, err
}
