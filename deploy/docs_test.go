package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// longestLine is how many characters a line of prose may have, in any page. Rows of tables and what stands in
// fences cannot be broken.
const longestLine = 160

// page is a Markdown file, by its path from the root of the repository.
type page struct {
	path, text string
}

// pages are the files that people read first.
func pages(t *testing.T) []page {
	t.Helper()
	var list []page
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../bench/*/README.md", "../loadgen/dialect/*/README.md", "../ring/c/README.md", "../server/client/js/README.md"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			list = append(list, page{strings.TrimPrefix(path, "../"), read(t, path)})
		}
	}
	if len(list) < 18 {
		t.Fatalf("%d pages", len(list))
	}
	return list
}

// code is the text of all Go files below folders that are no tests.
func code(t *testing.T, folders ...string) string {
	t.Helper()
	var b strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				b.WriteString(read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// declared is how a flag is declared in code: a call with its name and, in the same line, a text on what it is.
var declared = regexp.MustCompile(`\w+\((?:&?[\w.]+, )?"([a-z][a-z0-9-]*)", .*(?:"[^"\n]{8,}|nodeSyntax)`)

// theirs are flags of programs that are not ours.
var theirs = []string{
	"help",   // of all
	"mode",   // of loadgen, gone: CHANGELOG.md says so
	"prefix", // etcdctl
	"raw",    // redis-cli
	"short",  // git
	"system", // useradd
	"shell",  // useradd
}

// TestDocsFlags: each flag that a page names is one of a command's.
func TestDocsFlags(t *testing.T) {
	known := slices.Concat(knownFlags(), theirs)
	for _, m := range declared.FindAllStringSubmatch(code(t, "cmd", "loadgen", "bench", "server/access"), -1) {
		known = append(known, m[1])
	}
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile("(?:^|[\\s`('\"])--([a-z][a-z0-9-]*)").FindAllStringSubmatch(p.text, -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: no command has --%s", p.path, m[1])
			}
		}
	}
}

// TestDocsMetrics: each metric of roostd that a page names is there.
func TestDocsMetrics(t *testing.T) {
	known := metricNames(t)
	for _, p := range pages(t) {
		if strings.HasPrefix(p.path, "ring/c/") { // names of functions in C look the same
			continue
		}
		for _, name := range regexp.MustCompile(`\broost_[a-z_]+`).FindAllString(p.text, -1) {
			if known[name] == "" {
				t.Errorf("%s: roostd has no metric %s", p.path, name)
			}
		}
	}
}

// TestDocsLinks: what a page leads to is there, headings included.
func TestDocsLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(p.text, -1) {
			path, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := filepath.Join("..", filepath.Dir(p.path), path)
			if path == "" {
				target = filepath.Join("..", p.path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s, which is not there", p.path, m[1])
			} else if heading != "" && strings.HasSuffix(target, ".md") && !slices.Contains(headings(read(t, target)), heading) {
				t.Errorf("%s leads to %s: there is no such heading", p.path, m[1])
			}
		}
	}
}

// headings are the anchors of a page, as GitHub makes them.
func headings(text string) (list []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(plain, " ", "-"))
	}
	return list
}

// TestDocsPaths: files, folders, results and targets of make that pages name are there.
func TestDocsPaths(t *testing.T) {
	makefile := read(t, "../Makefile")
	top := regexp.MustCompile("(?:^|[\\s`(])((?:poller|server|ring|decay|loadgen|bench|cmd|deploy|docs|tools)/[\\w./-]*\\w)")
	for _, p := range pages(t) {
		for _, m := range top.FindAllStringSubmatch(p.text, -1) {
			if strings.HasPrefix(p.path, "CHANGELOG") || strings.HasSuffix(m[1], "-DATE") { // what was, or may be
				continue
			}
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", p.path, m[1])
			}
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^)make ([a-z][a-z-]*)").FindAllStringSubmatch(p.text, -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s: there is no make %s", p.path, m[1])
			}
		}
	}
}

// TestDocsPackages: the maps name each package: ARCHITECTURE.md, and doc.go of loadgen and bench for those below them.
func TestDocsPackages(t *testing.T) {
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([\\w/]+)`").FindAllStringSubmatch(read(t, "../ARCHITECTURE.md"), -1) {
		named[filepath.Base(m[1])] = true
	}
	for _, top := range []string{"poller", "server", "ring", "decay", "loadgen", "bench"} {
		for _, folder := range packages(t, filepath.Join("..", top)) {
			switch doc, base := filepath.Join("..", top, "doc.go"), filepath.Base(folder); {
			case top != "loadgen" && top != "bench":
				if !named[base] {
					t.Errorf("ARCHITECTURE.md does not name %s", folder)
				}
			case !regexp.MustCompile(`\b` + base + `\b`).MatchString(read(t, doc)):
				t.Errorf("%s does not name %s", doc, folder)
			}
		}
	}
}

// packages are the folders with Go code below one, itself included; not those of other modules, nor what is two
// folders below loadgen.
func packages(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || e.Name() == "testdata" || e.Name() == "node_modules" {
			return filepath.SkipDir
		}
		deep := strings.Count(strings.TrimPrefix(path, root), "/") > 1 && strings.HasSuffix(root, "loadgen")
		if files, _ := filepath.Glob(filepath.Join(path, "*.go")); len(files) > 0 && !deep {
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDocsLines: prose is broken into lines that can be read, and compared.
func TestDocsLines(t *testing.T) {
	for _, p := range pages(t) {
		fence, n := false, 0
		for line := range strings.Lines(p.text) {
			n++
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fence = !fence
			}
			if c := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); !fence && c > longestLine && !strings.HasPrefix(strings.TrimSpace(line), "|") {
				t.Errorf("%s:%d has %d characters, want %d at most", p.path, n, c, longestLine)
			}
		}
	}
}
