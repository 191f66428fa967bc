package probe

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roost/loadgen/redact"
	"roost/loadgen/result"
)

// environment are the variables that change how a Go program runs.
var environment = []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"}

// describe says what a process is. What may not be read stays empty.
func describe(pid int) result.Server {
	dir := fmt.Sprintf("/proc/%d/", pid)
	s := result.Server{PID: pid, Name: firstLine(dir + "comm")}
	s.Binary, _ = os.Readlink(dir + "exe")
	s.Binary = strings.TrimSuffix(s.Binary, " (deleted)")
	if s.Binary != "" {
		s.Name = filepath.Base(s.Binary) // comm is cut off after 15 bytes
	}
	s.Binary = below(s.Binary)
	s.SHA256 = sum(dir + "exe") // the file itself, also if another one is at its path now
	s.Version = version(dir + "exe")
	s.Argv = redact.Argv(list(dir + "cmdline"))
	for _, v := range list(dir + "environ") {
		if name, value, ok := strings.Cut(v, "="); ok && slices.Contains(environment, name) {
			s.Env = append(s.Env, result.Fact{Name: name, Value: value})
		}
	}
	return s
}

// below shortens a path in the working directory to what is below it: where
// somebody keeps his files is nobody's business who reads a result.
func below(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
		return rest
	}
	return path
}

func firstLine(path string) string {
	data, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// list reads strings that end with 0.
func list(path string) []string {
	data, _ := os.ReadFile(path)
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// sum returns the SHA-256 of a file in hex.
func sum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// version is what Go's tools have written into a binary: module, version,
// revision, toolchain.
func version(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	parts := []string{info.Main.Path, info.Main.Version}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			parts = append(parts, setting.Value)
		case setting.Key == "vcs.modified" && setting.Value == "true":
			parts = append(parts, "modified")
		}
	}
	return strings.Join(slices.DeleteFunc(append(parts, info.GoVersion), func(s string) bool { return s == "" }), " ")
}
