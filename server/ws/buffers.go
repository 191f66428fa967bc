package ws

// Buffers lends buffers for messages that arrive in pieces. Get returns a
// slice of length 0 and capacity at least n bytes; Put takes it back (the same
// array, any length). The owner is one loop: implementations need no lock.
type Buffers interface {
	Get(n int) []byte
	Put([]byte)
}

// minBuffer is the smallest buffer borrowed for a message whose end is not
// here yet, in bytes: small enough to cost an attacker as much as us.
const minBuffer = 512

// Heap lends from the garbage-collected heap: what a nil Config.Buffers means.
type Heap struct{}

// Get allocates.
func (Heap) Get(n int) []byte { return make([]byte, 0, n) }

// Put forgets b.
func (Heap) Put([]byte) {}

// grow returns buf with room for more bytes. want is how long the whole is
// announced to be, which never makes the buffer larger than twice what is here
// (or minBuffer): an announced length costs its sender nothing, so it must
// cost us nothing.
func grow(b Buffers, buf []byte, more, want int) []byte {
	need := len(buf) + more
	if need <= cap(buf) {
		return buf
	}
	bigger := b.Get(max(need, min(want, max(2*need, minBuffer))))
	bigger = append(bigger[:0], buf...)
	if cap(buf) > 0 {
		b.Put(buf)
	}
	return bigger
}
