package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// maxRaw is the largest result that is put into its page, in bytes as base64.
const maxRaw = 1 << 20

//go:embed page.gohtml
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Style, Script string
	Policy        string // of the browser, for this page
	R             *result.Result
	Title         string
	Meaning       string
	Class         string // of the verdict
	Void          bool   // the numbers are no result
	Failed        []finding
	Subject       []result.Fact
	Figures       []figure
	Sections      []section
	Raw           template.URL
	RawName       string
}

// figure is a number to be seen first.
type figure struct {
	Name, Value, Note string
}

// section is a part of the page.
type section struct {
	ID, Title, Note string
	Charts          []template.HTML
	Tables          []htmlTable
	Folded          []folded
	Lines           []string
}

// folded is a text that is not shown at first.
type folded struct {
	Title, Text string
	Table       *htmlTable
}

// htmlTable is a table as the template wants it.
type htmlTable struct {
	Title, Note string
	Head        []cell
	Rows        []htmlRow
}

type cell struct {
	Text  string
	Words bool // to the left
	State string
}

type htmlRow struct {
	Cells []cell
	Text  string
	Span  int
}

// HTML writes a page that shows r: one file, nothing from outside. What a
// server said is text in it, whatever it was.
func HTML(w io.Writer, r *result.Result) error {
	raw, err := rawFile(r)
	if err != nil {
		return err
	}
	title, meaning := headline(r)
	p := page{
		Style: svg.Style + pageStyle, Script: svg.Script, R: r, Title: title, Meaning: meaning, Class: strings.ToLower(string(r.Verdict)),
		Void: r.Verdict == result.Invalid, Failed: findings(r), Subject: subject(r), Figures: figures(r), Sections: sections(r), Raw: raw,
		RawName: "result-" + r.ID + ".json.gz",
	}
	// Only this style and this script may run, and nothing may be fetched.
	p.Policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(p.Style), hash(p.Script))
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, map[string]any{"P": &p, "Style": template.CSS(p.Style), "Script": template.JS(p.Script)}); err != nil {
		return fmt.Errorf("report of %s: %w", r.ID, err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// rawFile is the result itself as the address of a download; empty if it is
// too large.
func rawFile(r *result.Result) (template.URL, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := result.Encode(z, r); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	if base64.StdEncoding.EncodedLen(b.Len()) > maxRaw {
		return "", nil
	}
	return template.URL("data:application/gzip;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

func subject(r *result.Result) []result.Fact {
	clients := 0
	for _, w := range r.Workers {
		clients += w.Clients
	}
	facts := []result.Fact{
		{Name: "run", Value: r.ID},
		{Name: "started", Value: r.Started.UTC().Format("2006-01-02 15:04:05 UTC")},
		{Name: "length", Value: r.Ended.Sub(r.Started).Round(time.Second).String()},
		{Name: "clients", Value: svg.Thousands(float64(clients))},
		{Name: "workers", Value: svg.Thousands(float64(len(r.Workers)))},
		{Name: "seed", Value: fmt.Sprint(r.Scenario.Seed)},
		{Name: "tool", Value: strings.TrimSpace(r.Tool.Name + " " + r.Tool.Version)},
	}
	return append(facts, labels(r)...)
}

// figures are the numbers to be seen first: those of these that there are.
func figures(r *result.Result) (list []figure) {
	add := func(name, words, note string) {
		if m, ok, _ := r.Lookup(name); ok && len(list) < 6 {
			list = append(list, figure{words, svg.Format(m.Value, svg.Unit(m.Unit)), note})
		}
	}
	add("delivery.p50", "delivery, median", "from due")
	add("delivery.p99", "delivery, p99", "from due")
	if m, ok, _ := r.Lookup("lost"); ok {
		if e, _, _ := r.Lookup("expected"); e.Value > 0 {
			list = append(list, figure{"lost", svg.Format(m.Value, "1"), "of " + svg.Thousands(e.Value) + " due"})
		}
	}
	add("storm.t99", "99 % restored", "after the storm began")
	most := 0
	for i := range r.Phases {
		most = max(most, r.Phases[i].Connected)
	}
	if most > 0 {
		list = append(list, figure{"connections", svg.Thousands(float64(most)), "at the most"})
	}
	add("server.cpu_per_msg", "server CPU", "a message")
	add("server.user_b_per_conn", "server memory", "a connection")
	add("greeting.p99", "dial to ready, p99", "from the planned dial")
	return list
}
