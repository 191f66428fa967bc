// Package window counts over the last second or so: a sliding window on a fixed
// ring of slots, without locks, without allocation, exact while slots turn over.
//
// # Terms
//
// Time is cut into epochs of one width (50 ms unless set): epoch e holds the
// times [e x width, (e+1) x width) since an origin that the caller chooses. A
// window is the newest n epochs (20 unless set, so one second). Epoch e lives in
// word e mod 32 of a ring of 32 words, and e div 32 is its lap:
//
//	word = lap (32 bits) | in use (1 bit) | count (31 bits)
//
// Lap and count change together, in one atomic operation: no lap begins without
// its count beginning at the same instant, and an addition learns from what it
// gets back which lap it went to. The ring holds more epochs than the window on purpose: with
// n = 20, event loops whose clocks differ by up to 11 epochs (550 ms) neither
// lose a record nor disturb a reader.
//
// # Formulas
//
// Let c(a) be the count of the epoch that is a epochs old, d the width in
// seconds, n the epochs of the window, p the elapsed share of the present epoch
// (0 <= p < 1).
//
//	Sum   = c(0) + c(1) + ... + c(n-1)                         covers (n-1+p) d
//	Rate  = (c(0) + ... + c(n-1) + (1-p) c(n)) / (n d)         per second
//	Decay = sum over the same records of e^(-lambda x age)
//
// A plain sum covers a time that grows from (n-1) d to n d as the present epoch
// fills, so a rate made of it reads up to 1/n too low. Rate adds the part of one
// older epoch that the window still covers, (1-p) of it: it covers n d at every
// instant, and under a steady load its expectation is the true rate. The ages in
// Decay are those of records spread evenly over their epoch; [NewDecay] has the
// weights.
//
// A burst shows late in the rate of a whole window: from r to f r, it passes a bound
// T after n d (T/r-1)/(f-1), 267 ms for a burst of twice the rate and a bound of
// 1.27 r. A Span of 2 epochs reads the newest part of the same Counter and sees that
// burst after 41 ms (median of 80 in bench decay); compare the two.
//
// # Which form
//
//	Counter    one ring of counts, any number of goroutines; 256 bytes
//	Counters   a Counter per event loop, read as one: for many cores
//	Batch      plain integers of one goroutine in front of a Counter
//	Meter      count, sum and maximum of values; 768 bytes
//	Meters, MeterBatch   the same two forms of a Meter
//	Span       the shape of a window: times to epochs, sums to rates
//	Clock      a Span that reads the monotonic clock
//
// A record costs one atomic addition and next to nothing else: 8.7 ns where the
// addition alone is 8.6 (measured on two shared cores of a Xeon, where locked
// instructions are slow; 2.1 is usual elsewhere). A word shared by two cores costs
// twice that, because its cache line moves, so give each event loop its own Counter
// out of Counters. In a Batch a record costs 1.9 ns. Reading the clock costs 26 to
// 42 ns: read it once a turn of the loop and pass the epoch on. A sum over two
// shards costs 30 ns.
//
// # Guarantees
//
// At rest (no call in flight) each word holds exactly the records that were
// accepted for its epoch, each once. A record is refused, and its call answers
// false, only if a later lap of its word has begun: it came at least 32 epochs
// after its time. While calls are in flight a reader may miss what they record,
// and may see a record that is about to be refused: at most one per call in
// flight. The interleavings of the atomic steps are enumerated in the tests
// (TestInterleavings), on the very code that runs.
//
// # Clocks
//
// The package orders nothing by the wall clock. A time from before the origin
// gives a negative epoch, which is an epoch like others. A clock that steps back
// records into the older epochs, which are still in the ring for 32 epochs; past
// those it is refused. A clock that leaps ahead leaves words from the future:
// readers do not count them, but a word whose lap lies ahead refuses the present
// until the present reaches it, because a writer cannot tell a clock that had
// leapt from itself being late. Use the monotonic clock, as [Clock] does; replace
// a window whose clock has leapt.
//
// Laps are compared in 32 bits, modulo 2^32: two records of one word are ordered
// rightly if they are less than 2^31 laps of 32 epochs apart, 109 years of 50 ms,
// 2.2 years of 1 ms. (The lap, not the epoch, is in the word, because the lower 5
// bits of the epoch are the word's place: 32 bits of epoch would do for 3.4 years of
// 50 ms.)
package window
