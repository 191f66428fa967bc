// Package verify proves that real ids spread: over the 16,384 slots of the hash,
// and over the nodes of a ring. It reads ids one by one in bounded memory, counts
// them under one placement or several side by side (roost's, and the seed preset of
// the original report), and says of each figure what a perfect hash would have, a
// verdict with its limit, and what to do.
//
// # Figures
//
// With n ids, k cells, c_i ids in cell i, t_i its target share (1/k, or weight /
// sum of weights), s_i the share that a perfect hash gives it (1/k, or the node's
// share of the ring), and r_i = c_i / (n t_i):
//
//	entropy         H = - sum (c_i/n) log2(c_i/n) bits; at most that of the targets
//	bits short      sum (c_i/n) log2((c_i/n) / t_i); log2 k - H if targets are equal
//	corrected       H + (cells not empty - 1) / (2 n ln 2)
//	chi-square      X = n sum (c_i/n - s_i)^2 / s_i, with k - 1 degrees of freedom
//	p               Q((k-1)/2, X/2), the upper incomplete gamma function
//	excess          sqrt((X - (k-1)) / n) if p < 1/1,000: unevenness that is no chance
//	sigma           max r_i - min r_i: (max - min) / avg if targets are equal
//	standard dev.   sqrt(mean of (r_i - 1)^2)
//	max/avg         max r_i
//
// Sources: Shannon 1948 (H); Miller 1955 and Madow 1948 (the correction); Pearson 1900
// (X); sigma is the form that the original report gives.
//
// Few ids are uneven by chance: 1,000,000 over 16,384 slots have a sigma of 1.01
// and 0.012 bits less than 14 under a perfect hash. So each figure stands beside
// its expected value: from Poisson counts for entropy and for the largest and the
// smallest cell, exactly for chi-square, which with few ids a cell counts pairs and
// is Poisson distributed rather than chi-square (see the comments on chance,
// equalCells, shortChance and lumps). A verdict is look where a perfect hash gives as
// much once in 1,000 times, and bad where it does once in a million times, but never
// where the deviation is too small to matter.
//
// # Ids and load
//
// An id may come in many lines, each with a count. Figures of ids take each id once;
// figures of load take each line times its count. Load scatters as fewer ids do: as
// n = (sum of loads)^2 / (sum of squares) of them, and so it is compared (Kish,
// Survey Sampling, 1965). Beyond a million and a half ids (Options.MostIDs) the figures of
// ids are those of a sample, chosen by hash; the figures of load are always of all.
// How far chance reaches also depends on how unlike the loads are (see lumps). With few ids
// a node much is chance, and is said to be; but an id that by itself is half of
// what a node carries is bad however many there are: no hash can do anything about it.
//
// Hot ids come from a count-min sketch, hot prefixes from a tree of those with many
// lines or much load. With a good hash of the whole id a hot prefix harms nothing:
// its ids are all over the ring. It matters to whoever hashes the prefix alone, and
// a prefix below which ids are not spread tells a bad hash.
//
// # What it does not do
//
// It does not tell ids apart that have the same 64-bit hash. It does not find
// prefixes longer than 16 bytes. Ids that were made to collide show in the slots
// only where they are many.
package verify
