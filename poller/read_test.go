package poller

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
)

// echo answers with what it gets, and stops reading while its answer waits.
// consume says how much of b it takes at once.
func echo(consume func(b []byte) int) *script {
	h := &script{}
	h.data = func(c Conn, b []byte) int {
		done := 0
		for done < len(b) {
			n := consume(b[done:])
			if n == 0 {
				break
			}
			if c.Write(b[done:done+n], Reliable) == Full {
				c.Pause()
				break
			}
			done += n
		}
		return done
	}
	h.drained = func(c Conn) { c.Resume() }
	return h
}

// line takes whole lines, at most 4 KiB.
func line(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 && len(b) > 4<<10 {
		return 4 << 10
	}
	return n
}

// all takes at most 16 KiB.
func all(b []byte) int { return min(len(b), 16<<10) }

// TestEchoOfAnySplit writes a stream in pieces of all sizes, with the ends of
// lines everywhere in them; what comes back is the same stream.
func TestEchoOfAnySplit(t *testing.T) {
	p := start(t, Options{Loops: 2, SendBuffer: 8 << 10}, echo(line))
	for _, piece := range []int{1, 2, 7, 100, 1460, 5000, 70000} {
		r := rand.New(rand.NewPCG(1, uint64(piece)))
		stream := make([]byte, min(400*piece, 1<<20))
		for i := range stream {
			stream[i] = byte(r.Uint32())
		}
		stream[len(stream)-1] = '\n'
		nc := dialTo(t, p)
		go func() {
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(piece))
				if _, err := nc.Write(rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
		}()
		if got := readFull(t, nc, len(stream)); !bytes.Equal(got, stream) {
			t.Errorf("pieces of %d: another stream came back", piece)
		}
		nc.Close()
	}
	checked(t, p)
}

// TestLargeEchoThenHalfClose sends 32 MiB and FIN; all of it comes back, and
// FIN behind it.
func TestLargeEchoThenHalfClose(t *testing.T) {
	for name, consume := range map[string]func([]byte) int{"all": all, "lines": line} {
		t.Run(name, func(t *testing.T) {
			why := make(chan error, 1)
			h := echo(consume)
			h.closed = func(_ Conn, err error) { why <- err }
			p := start(t, Options{}, h)
			nc := dialTo(t, p)
			size := 32 << 20
			block := bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\n\n"), 1<<10)
			want := crc32.NewIEEE()
			go func() {
				for sent := 0; sent < size; sent += len(block) {
					if _, err := nc.Write(block); err != nil {
						t.Error(err)
						return
					}
				}
				nc.CloseWrite()
			}()
			for sent := 0; sent < size; sent += len(block) {
				want.Write(block)
			}
			got := crc32.NewIEEE()
			n, err := io.Copy(got, nc)
			if err != nil || n != int64(size) || got.Sum32() != want.Sum32() {
				t.Errorf("%d of %d bytes came back, same: %v, %v", n, size, got.Sum32() == want.Sum32(), err)
			}
			if err := recv(t, "Closed", why); err != io.EOF {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

// TestEndsOfTheBudget reads data and FIN that arrived while the loop did not
// look: exactly as much as a read, as a turn's budget, and one byte around it.
func TestEndsOfTheBudget(t *testing.T) {
	opened := make(chan Handle, 1)
	type end struct {
		n   int
		err error
	}
	ends := make(chan end, 1)
	got := 0
	p := start(t, Options{}, &script{
		open: func(c Conn) { c.Pause(); opened <- c.Handle() },
		data: func(c Conn, b []byte) int { got += len(b); return len(b) },
		closed: func(c Conn, err error) {
			ends <- end{got, err}
			got = 0
		},
	})
	for _, size := range []int{0, 1, readSize - 1, readSize, readSize + 1, readBudget*readSize - 1, readBudget * readSize, readBudget*readSize + 1} {
		client, h := dialConn(t, p, 0, opened)
		l := p.Loops()[0]
		buf := make([]byte, size)
		n := client.writeNow(buf) // as far as it fits while the loop does not read
		client.finishAfter(n, size)
		do(t, l, func(l *Loop) { l.Conn(h).Resume() })
		if n < size {
			client.Write(buf[n:])
			client.finish()
		}
		if e := recv(t, "Closed", ends); e.n != size || e.err != io.EOF {
			t.Errorf("%d bytes: %d came, %v", size, e.n, e.err)
		}
		client.close()
	}
}

// finishAfter says FIN if all of size is written.
func (c *rawClient) finishAfter(n, size int) {
	if n == size {
		c.finish()
	}
}

// TestCutMessagesDoNotMakeReadsSmall: while a rest is kept, reads are as large
// as without. They were once as small as the room in the rest's buffer.
func TestCutMessagesDoNotMakeReadsSmall(t *testing.T) {
	opened := make(chan Handle, 1)
	var got tally
	p := start(t, Options{}, &script{
		open: func(c Conn) { c.Pause(); opened <- c.Handle() },
		data: func(c Conn, b []byte) int {
			n := len(b) / 1000 * 1000
			got.n.Add(int64(n))
			return n
		},
	})
	client, h := dialConn(t, p, 0, opened)
	defer client.close()
	sent := 0
	for chunk := make([]byte, 1000); ; sent += 1000 {
		if n := client.writeNow(chunk); n < 1000 {
			sent += n
			break
		}
	}
	if sent < 4*readSize {
		t.Skipf("the kernel takes only %d bytes unread", sent)
	}
	before := p.Stats().Reads
	do(t, p.Loops()[0], func(l *Loop) { l.Conn(h).Resume() })
	await(t, "all is read", func() bool { return got.get() >= sent/1000*1000 })
	if reads := int(p.Stats().Reads - before); reads > 2*sent/readSize+8 {
		t.Errorf("%d reads for %d bytes", reads, sent)
	}
	checked(t, p)
}

// TestMaxPartial closes a connection whose handler leaves too much, but not one
// that is paused.
func TestMaxPartial(t *testing.T) {
	opened, why := make(chan Handle, 1), make(chan error, 1)
	var offered tally
	paused := false
	p := start(t, Options{MaxPartial: 10 << 10}, &script{
		open: func(c Conn) { opened <- c.Handle() },
		data: func(c Conn, b []byte) int {
			offered.n.Store(int64(len(b)))
			if paused {
				c.Pause()
			}
			return 0
		},
		closed: func(c Conn, err error) { why <- err },
	})
	l := p.Loops()[0]
	client, h := dialConn(t, p, 0, opened)
	client.Write(make([]byte, 6<<10))
	await(t, "the first part is offered", func() bool { return offered.get() == 6<<10 })
	client.Write(make([]byte, 4<<10))
	await(t, "both parts are offered together", func() bool { return offered.get() == 10<<10 })
	checked(t, p)
	client.Write(make([]byte, 1))
	if err := recv(t, "Closed", why); !errors.Is(err, ErrPartial) {
		t.Errorf("closed: %v", err)
	}
	client.close()

	do(t, l, func(*Loop) { paused = true; offered.n.Store(0) })
	client, h = dialConn(t, p, 0, opened)
	client.Write(make([]byte, 40<<10))
	await(t, "some is offered", func() bool { return offered.get() > 0 })
	for range 20 { // resumed in vain: it is offered again, paused again, and does not grow beyond a read
		do(t, l, func(l *Loop) { l.Conn(h).Resume() })
		do(t, l, func(l *Loop) {
			if s := l.lookup(h); s == nil || s.in == 0 || cap(l.ins[s.in-1]) > 4*readSize {
				t.Error("closed, or grown")
			}
		})
	}
	client.close()
	do(t, l, func(l *Loop) { paused = false; l.Conn(h).Resume() })
	if err := recv(t, "Closed", why); err != ErrPartial && err != io.EOF {
		t.Errorf("closed: %v", err)
	}
}

// TestPauseResume: what is left comes first and once, then what follows.
func TestPauseResume(t *testing.T) {
	opened := make(chan Handle, 1)
	var got []byte
	var n tally
	p := start(t, Options{}, &script{
		open: func(c Conn) { opened <- c.Handle() },
		data: func(c Conn, b []byte) int { // one byte, then a pause
			got = append(got, b[0])
			n.inc()
			c.Pause()
			return 1
		},
	})
	l := p.Loops()[0]
	client, h := dialConn(t, p, 0, opened)
	defer client.close()
	const text = "one two three four"
	io.WriteString(client, text[:9])
	await(t, "first byte", func() bool { return n.get() == 1 })
	io.WriteString(client, text[9:])
	for i := 2; i <= len(text); i++ {
		do(t, l, func(l *Loop) {
			l.Conn(h).Resume()
			l.Conn(h).Pause()
			l.Conn(h).Resume() // no more than once
		})
		await(t, "next byte", func() bool { return n.get() == i })
	}
	do(t, l, func(l *Loop) {
		if string(got) != text {
			t.Errorf("got %q", got)
		}
	})
}

// TestResumeEachOther: a handler that resumes in Data what it pauses there does
// not keep the loop from its other work. It once did, for ever.
func TestResumeEachOther(t *testing.T) {
	opened := make(chan Handle, 1)
	var rounds tally
	p := start(t, Options{}, &script{
		open: func(c Conn) { opened <- c.Handle() },
		data: func(c Conn, b []byte) int {
			rounds.inc()
			c.Pause()
			c.Resume()
			return 0
		},
	})
	l := p.Loops()[0]
	client, h := dialConn(t, p, 0, opened)
	io.WriteString(client, "x")
	await(t, "offered", func() bool { return rounds.get() > 0 })
	io.WriteString(client, "y")
	await(t, "offered again and again", func() bool { return rounds.get() > 100 })
	do(t, l, func(l *Loop) { l.Conn(h).Close(io.EOF) }) // the loop still runs tasks
	client.close()
}

// TestFinishInDataLeavesInput: b is valid until Data returns, also when the
// handler finishes the connection first. Its buffer once went back at once.
func TestFinishInDataLeavesInput(t *testing.T) {
	done := make(chan bool, 1)
	p := start(t, Options{}, &script{
		data: func(c Conn, b []byte) int {
			if len(b) < 1000 {
				return 0
			}
			before := bytes.Clone(b)
			c.Finish(io.EOF)
			var bufs [][]byte
			for _, size := range []int{512, 1024, 2048, 4096} { // what other connections would get
				x := c.Loop().Buffers().Get(size)
				x = x[:cap(x)]
				clear(x)
				bufs = append(bufs, x)
			}
			done <- bytes.Equal(before, b)
			for _, x := range bufs {
				c.Loop().Buffers().Put(x)
			}
			return len(b)
		},
	})
	nc := dialTo(t, p)
	nc.Write(bytes.Repeat([]byte{7}, 900))
	await(t, "the first part is kept", func() bool {
		kept := false
		do(t, p.Loops()[0], func(l *Loop) { kept = l.slots > 0 && l.conns.At(0).in != 0 })
		return kept
	})
	nc.Write(bytes.Repeat([]byte{8}, 900))
	if !recv(t, "Data", done) {
		t.Error("the input changed under the handler")
	}
}

// FuzzInput cuts a stream where the fuzzer wants, by pieces written and by
// bytes consumed, and looks at what the handler saw.
func FuzzInput(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{1, 0, 2})
	f.Add([]byte{255, 255, 255, 0, 17}, []byte{0, 0, 0, 255})
	f.Add([]byte{200, 9, 200, 9, 200, 9, 200, 9}, []byte{3, 0, 0, 90, 1, 128, 200})
	opened := make(chan Handle, 1)
	var takes []byte
	var saw []byte
	var wrong string
	base := 0 // consumed so far
	closed := make(chan error, 1)
	p := start(f, Options{MaxPartial: 16 << 20}, &script{ // more than all pieces together
		open: func(c Conn) { opened <- c.Handle() },
		data: func(c Conn, b []byte) int {
			if keep := len(saw) - base; len(b) < keep || !bytes.Equal(b[:keep], saw[base:]) {
				wrong = "what was left did not come again, in front"
			}
			saw = append(saw[:base], b...)
			n := len(b)
			if len(takes) > 0 {
				n = min(n, int(takes[0])*7)
				if takes[0]&1 != 0 {
					c.Pause()
					h := c.Handle()
					c.Loop().Post(TaskFunc(func(l *Loop) { l.Conn(h).Resume() }))
				}
				takes = takes[1:]
			}
			base += n
			return n
		},
		closed: func(c Conn, err error) { closed <- err },
	})
	f.Fuzz(func(t *testing.T, pieces, consume []byte) {
		if len(pieces) > 200 || len(consume) > 200 {
			return
		}
		do(t, p.Loops()[0], func(*Loop) { takes, saw, base, wrong = consume, nil, 0, "" })
		client, _ := dialConn(t, p, 0, opened)
		defer client.close()
		var sent []byte
		for i, n := range pieces {
			piece := bytes.Repeat([]byte{byte(i)}, int(n)*int(n))
			sent = append(sent, piece...)
			client.Write(piece)
		}
		client.finish()
		if err := recv(t, "Closed", closed); err != io.EOF {
			t.Errorf("closed: %v", err)
		}
		if wrong != "" || !bytes.Equal(saw, sent) {
			t.Errorf("%s; saw %d of %d bytes", wrong, len(saw), len(sent))
		}
	})
}
