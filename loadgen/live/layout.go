package live

// block is a part of the screen. Where rows are scarce, its lines go from the
// last on, those of the least rank first.
type block struct {
	lines []line
	rank  int // what stays longest has the highest
	least int // lines that stay until all others are down to their least
}

// fit takes lines away until at most rows are left, and returns them.
func fit(blocks []block, rows int) (lines []line) {
	total := 0
	for i := range blocks {
		total += len(blocks[i].lines)
	}
	for _, all := range []bool{false, true} {
		for total > rows {
			victim := -1
			for i := range blocks {
				b := &blocks[i]
				if len(b.lines) > 0 && (all || len(b.lines) > b.least) && (victim < 0 || b.rank < blocks[victim].rank) {
					victim = i
				}
			}
			if victim < 0 {
				break
			}
			b := &blocks[victim]
			b.lines = b.lines[:len(b.lines)-1]
			total--
		}
	}
	for i := range blocks {
		lines = append(lines, blocks[i].lines...)
	}
	return lines
}

// labelWidth is the width of the labels at the left.
const labelWidth = 12

// row lays out items behind a label, in as many lines of width columns as they
// take. Narrow screens have no room beside labels: items go below.
func row(label string, items []line, columns int) []line {
	indent := labelWidth
	if columns < 4*labelWidth {
		indent = 2
	}
	if label != "" && cells(label) >= indent {
		return append([]line{{{label, dim}}}, flow(nil, items, indent, columns)...)
	}
	return flow(line{{pad(label, indent), dim}}, items, indent, columns)
}

// flow puts items after each other, two columns apart, into lines that begin
// with indent blanks, but the first with head.
func flow(head line, items []line, indent, columns int) (lines []line) {
	blank := span{text: pad("", indent)}
	if head == nil {
		head = line{blank}
	}
	at, used := head, indent
	for i, item := range items {
		n := item.cells()
		switch {
		case i > 0 && used+2+n > columns:
			lines = append(lines, at)
			at, used = line{blank}, indent
		case i > 0:
			at, used = append(at, span{text: "  "}), used+2
		}
		at, used = append(at, item...), used+n
	}
	return append(lines, at)
}

// item is a name and its value.
func item(name, value string) line {
	return line{{name + " ", dim}, {text: value}}
}
