package journal_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"roost/server/inbox/journal"
)

// childDir names the directory in which the test binary, started again, writes
// until it is killed.
const childDir = "ROOST_JOURNAL_TEST_DIR"

// child appends synced batches, one record each, and says after each how many
// there are.
func child(path string) {
	fs, err := journal.Dir(path)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	n := uint64(0)
	j, _, err := journal.Open(journal.Options{FS: fs, SegmentBytes: 32 << 10}, func(_ journal.Pos, rec []byte) error {
		n++
		if recordNumber(rec) != n {
			return fmt.Errorf("record %d is %d", n, recordNumber(rec))
		}
		return nil
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	rng := rand.New(rand.NewPCG(n, 1))
	var b journal.Batch
	for {
		b.Reset()
		n++
		_, _ = b.Add(makeRecord(rng, n))
		if err := j.Append(&b, true); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

func startChild(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilled: a process that is killed in the middle of writing has what it
// said to have; while it lived the directory was its own.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	for round := range 5 {
		cmd, lines := startChild(t, dir)
		said := 0
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(lines.Text())
			}
			if said = n; n%60 == 59 {
				break
			}
		}
		_, err := journal.Dir(dir)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d since 20", cmd.Process.Pid)) {
			t.Fatalf("round %d: the directory is in use: %v", round, err)
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				said = n
			}
		}
		_ = cmd.Wait()
		j, rec, got := openDir(t, dir)
		if len(got) < said || len(got) > said+1 || rec.Lost != 0 {
			t.Fatalf("round %d: %d records of %d: %+v", round, len(got), said, rec)
		}
		for i, g := range got {
			if recordNumber(g.rec) != uint64(i+1) {
				t.Fatalf("record %d is %d", i+1, recordNumber(g.rec))
			}
		}
		mustClose(t, j, nil)
	}
}

func openDir(t testing.TB, dir string) (*journal.Journal, journal.Recovery, []replayed) {
	t.Helper()
	fs, err := journal.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, journal.Options{FS: fs, SegmentBytes: 32 << 10})
}

// TestDir: rights, what a lock leaves behind, and descriptors.
func TestDir(t *testing.T) {
	before := descriptors(t)
	dir := filepath.Join(t.TempDir(), "j")
	j, rec, _ := openDir(t, dir)
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 || !rec.Fresh {
		t.Fatal(st, err)
	}
	all := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 3000, 4, false)
	if n := len(j.Segments()); n < 20 {
		t.Fatal(n, "segments")
	}
	readAll(t, j, all)
	if n := descriptors(t) - before; n > journal.MaxOpen+3 { // the head, the directory, the lock
		t.Errorf("%d descriptors", n)
	}
	if _, err := journal.Dir(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d ", os.Getpid())) {
		t.Errorf("a second lock: %v", err)
	}
	var onDisk int64
	for _, s := range j.Segments() {
		st, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%08x.log", s.Number)))
		if err != nil || st.Size() != s.Bytes {
			t.Fatal(st.Size(), s, err)
		}
		onDisk += st.Size()
	}
	if j.Size() != onDisk {
		t.Errorf("Size is %d, the files have %d", j.Size(), onDisk)
	}
	mustClose(t, j, nil)
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	j, _, got := openDir(t, dir)
	if s := diff(got, all); s != "" {
		t.Error(s)
	}
	mustClose(t, j, nil)
	if _, err := journal.Dir("/dev/null/x"); err == nil {
		t.Error("a directory below a file")
	}
}

// descriptors counts this process's open files.
func descriptors(t testing.TB) int {
	t.Helper()
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return len(names) - 1
}
