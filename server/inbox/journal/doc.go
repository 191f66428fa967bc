// Package journal is a log of opaque records on disk that survives crashes: it
// is appended to at one end, in atomic batches, and dropped segment by segment
// at the other. It knows nothing of what the records mean; the store above it
// keeps an index of positions, copies forward with Scan what still lives in
// the oldest segment, and then drops that.
//
// # Format
//
// A segment is a file NNNNNNNN.log, its number in hexadecimal; numbers rise and
// are never used twice. All integers are little endian, offsets and lengths
// count bytes, everything begins at a multiple of 8.
//
//	     0  header, 64 bytes
//	  4096  the same again: one bad sector does not take a whole segment
//	  4160  batch, batch, batch …  then zeros or nothing
//
//	header  "roostlog" | version 4 | number 4 | store id 8 | salt 8 | number of
//	        the first batch 8 | previous segment 4 | valid bytes of that 4 |
//	        0 12 | crc32c of the 60 bytes before 4
//	batch   crc32c of the header's rest 4 | magic 4 | length 4 | records 4 |
//	        running number 8 | synced 4 | crc32c of what follows 4 |
//	        record, record … | tail 8
//	record  crc32c of what follows 4 | length 4 | bytes | 0 to 7 zeros
//
// The checksums of batches and records start from values made of the segment's
// salt and the offset (see seeds). The tail is made of salt and running number
// and ends in a byte that is not 0. synced is up to where the segment was
// durable when the batch was written.
//
// A header states how much of the segment before it counts. That is how a
// batch is taken back whose sync failed: nothing is undone in the segment
// itself, the next header just leaves it out. Segments whose numbers lie between
// the two are void: attempts to begin a segment that failed.
//
// # States of the writer
//
//	        write failed, sync failed, segment is full
//	ready ───────────────────────────────────────────────▶ turn
//	  ▲      (of a full disk: stays ready)                   │ begin: sync the head, if
//	  │                                                      │ it is sound; header of a
//	  └──────────────────────────────────────────────────────┘ new segment, synced; names
//	                     done                                  synced. Failed: stays
//
// In turn the head takes no batch, because a header that states its length may
// be on disk already. turn with cut means that the head's end is not where the
// last batch ended but where the last sync was: what lies between is void.
//
// # What Open makes of a crash
//
//	header missing, nothing behind it       the segment was being made: removed
//	checksum wrong, was not yet synced      end of the log; the rest is torn
//	checksum wrong, was synced once         lost: goes on at the next whole
//	                                        batch, whole records are salvaged
//	cannot be read                          the same; salvaged if it was synced
//	file missing, or shorter than stated    lost
//
// Whether a place was synced is known from the next segment's header or, in
// the last segment, from synced in any batch behind it. Only of the batches
// after the last but one sync that is not so: damage there cannot be told from
// a torn write. Close writes a batch without records, which says synced up to
// itself.
//
// Open writes to an old segment in one case: what a crash of the process left
// unsynced in the last one is written again, as it is, before it is synced and
// stated as durable by the header of the new one, and torn bytes are cut off.
package journal
