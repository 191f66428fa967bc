package main

import (
	"bufio"
	"context"
	"fmt"

	"roost/ring"
)

// runLookup is roostctl ring lookup.
func runLookup(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring lookup", "FILE ID... [-n 3]", `Where ids live: a line for each, the id, a tab, and its node; with -n also those
that follow, separated by commas. The ID - reads lines of ids from standard input. An
id that is no clean text is written as a Go string, in quotes.`)
	n := f.Int("n", 1, "how many `nodes` to give, the owner first")
	rest, err := f.take(args, t.out, 2, -1, "a FILE and IDs")
	if err != nil {
		return err
	}
	if *n < 1 || *n > ring.MaxNodes {
		return fmt.Errorf("-n is %d, must be 1 to %d", *n, ring.MaxNodes)
	}
	_, r, err := readSnapshot(ctx, rest[0])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	var found []ring.Index
	source := idSource{ids: rest[1:]}
	if len(source.ids) == 1 && source.ids[0] == "-" {
		source = idSource{file: "-"}
	}
	err = source.each(ctx, t.in, func(id []byte, _ uint64) error {
		found = r.OwnersN(found[:0], ring.HashBytes(id), *n)
		out.WriteString(clean(string(id)))
		out.WriteByte('\t')
		for i, v := range found {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(clean(r.Node(v).ID))
		}
		if len(found) == 0 {
			out.WriteString("(nobody)")
		}
		return out.WriteByte('\n')
	})
	// What was found before an error is answered, in whole lines.
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return err
}
