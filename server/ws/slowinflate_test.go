package ws

// slowInflater decodes DEFLATE one bit at a time, with codes kept as strings
// of '0' and '1': the definition of RFC 1951 and nothing else. It is the twin
// of Inflater and tells how far back the data refers.
type slowInflater struct {
	in     []byte // payload and endTail
	sent   int    // bytes of payload
	bit    int    // position in bits
	out    []byte
	base   int
	limit  int
	maxRef int // largest distance seen
}

// slowInflate inflates a message payload by the rules in Inflater.Inflate's comment.
func slowInflate(payload []byte, limit int) ([]byte, error) {
	z := newSlow(payload, limit)
	err := z.run()
	return z.out, err
}

// maxDistance inflates a payload and returns its largest distance.
func maxDistance(payload []byte) (int, error) {
	z := newSlow(payload, 1<<30)
	err := z.run()
	return z.maxRef, err
}

func newSlow(payload []byte, limit int) *slowInflater {
	in := append(append([]byte(nil), payload...), endTail...)
	return &slowInflater{in: in, sent: len(payload), limit: limit}
}

// slowPanic carries an error up to run.
type slowPanic struct{ err error }

func (z *slowInflater) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			p, ok := r.(slowPanic)
			if !ok {
				panic(r)
			}
			err = p.err
		}
	}()
	if z.sent == 0 {
		return nil
	}
	for !z.block() {
	}
	return nil
}

func (z *slowInflater) bad() { panic(slowPanic{error(ErrBadDeflate)}) }

func (z *slowInflater) bits(n int) int {
	v := 0
	for i := range n {
		if z.bit == 8*len(z.in) {
			z.bad()
		}
		v |= int(z.in[z.bit/8]>>(z.bit%8)&1) << i
		z.bit++
	}
	return v
}

func (z *slowInflater) emit(b byte) {
	if len(z.out) == z.limit {
		panic(slowPanic{error(ErrInflatedTooBig)})
	}
	z.out = append(z.out, b)
}

// block decodes one block; done is the end of the message.
func (z *slowInflater) block() (done bool) {
	final := z.bits(1) == 1
	switch z.bits(2) {
	case 0:
		z.stored()
	case 1:
		lens := make([]int, 288+32)
		for i := range lens {
			switch {
			case i < 144:
				lens[i] = 8
			case i < 256:
				lens[i] = 9
			case i < 280:
				lens[i] = 7
			case i < 288:
				lens[i] = 8
			default:
				lens[i] = 5
			}
		}
		z.coded(z.code(lens[:288]), z.code(lens[288:]))
	case 2:
		z.coded(z.dynamic())
	default:
		z.bad()
	}
	if final {
		z.bit = (z.bit + 7) / 8 * 8
		switch z.bit/8 - z.sent {
		case 0, len(flushTail), len(endTail):
			return true
		}
		if z.bit > 8*z.sent {
			z.bad()
		}
		z.base = len(z.out)
	}
	return false
}

func (z *slowInflater) stored() {
	z.bit = (z.bit + 7) / 8 * 8
	n, not := z.bits(16), z.bits(16)
	if n != not^0xFFFF {
		z.bad()
	}
	// What is there counts against the limit before what is missing is missed,
	// and a block above the limit gives nothing at all.
	have := min(n, max(0, z.sent-z.bit/8))
	if have > z.limit-len(z.out) {
		panic(slowPanic{error(ErrInflatedTooBig)})
	}
	for range have {
		z.emit(byte(z.bits(8)))
	}
	if have < n {
		z.bad()
	}
}

type slowCode map[string]int

// code makes the canonical code of RFC 1951, 3.2.2.
func (z *slowInflater) code(lens []int) slowCode {
	code := slowCode{}
	next, used, spare := 0, 0, 1<<15
	for n := 1; n <= 15; n++ {
		next <<= 1
		for sym, l := range lens {
			if l != n {
				continue
			}
			key := make([]byte, n)
			for i := range key {
				key[i] = '0' + byte(next>>(n-1-i)&1)
			}
			code[string(key)] = sym
			next++
			used++
			spare -= 1 << (15 - n)
		}
	}
	if spare < 0 || spare > 0 && used != 0 && !(used == 1 && spare == 1<<14) {
		z.bad()
	}
	return code
}

func (z *slowInflater) symbol(c slowCode) int {
	key := ""
	for range 15 {
		key += string(rune('0' + z.bits(1)))
		if sym, ok := c[key]; ok {
			return sym
		}
	}
	z.bad()
	return 0
}

func (z *slowInflater) dynamic() (lit, dist slowCode) {
	nlit, ndist, ncode := z.bits(5)+257, z.bits(5)+1, z.bits(4)+4
	if nlit > 286 || ndist > 30 {
		z.bad()
	}
	first := make([]int, 19)
	for i := range ncode {
		first[[]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[i]] = z.bits(3)
	}
	c := z.code(first)
	var lens []int
	for len(lens) < nlit+ndist {
		sym, value, times := z.symbol(c), 0, 1
		switch sym {
		case 16:
			if len(lens) == 0 {
				z.bad()
			}
			value, times = lens[len(lens)-1], 3+z.bits(2)
		case 17:
			times = 3 + z.bits(3)
		case 18:
			times = 11 + z.bits(7)
		default:
			value = sym
		}
		for range times {
			lens = append(lens, value)
		}
	}
	if len(lens) != nlit+ndist {
		z.bad()
	}
	return z.code(lens[:nlit]), z.code(lens[nlit:])
}

func (z *slowInflater) coded(lit, dist slowCode) {
	for {
		sym := z.symbol(lit)
		if sym < 256 {
			z.emit(byte(sym))
			continue
		}
		if sym == 256 {
			return
		}
		if sym > 285 {
			z.bad()
		}
		// Lengths and distances by counting, not by the tables of the fast twin.
		length, extra := 3, 0
		for s := 257; s < sym; s++ {
			length += 1 << extra
			if s >= 264 && (s-264)%4 == 0 {
				extra++
			}
		}
		if sym == 285 {
			length, extra = 258, 0
		}
		length += z.bits(extra)
		d := z.symbol(dist)
		if d > 29 {
			z.bad()
		}
		back, extra := 1, 0
		for s := range d {
			back += 1 << extra
			if s >= 3 && s%2 == 1 {
				extra++
			}
		}
		back += z.bits(extra)
		if back > len(z.out)-z.base {
			z.bad()
		}
		z.maxRef = max(z.maxRef, back)
		if length > z.limit-len(z.out) {
			panic(slowPanic{error(ErrInflatedTooBig)})
		}
		for range length {
			z.emit(z.out[len(z.out)-back])
		}
	}
}
