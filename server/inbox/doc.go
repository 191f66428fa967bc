// Package inbox keeps messages until their device has acknowledged them: who is
// known, how far each device's stream of numbers has come, what waits, which
// idempotency keys were used, who is subscribed to what.
//
// # Layout
//
// The rules are in index, which every store shares: it holds no bytes of messages
// and no pointer per device or message.
//
//	device   32 bytes + id 28   acknowledged, last number, epoch, fence
//	box      40 bytes           only while something waits: number of the first item
//	chunk    64 bytes           15 items; an item is the number of a body
//	body     24 bytes           where the bytes are, when they expire, who waits
//
// A message to many has one body, and an item of 4 bytes for each of them.
//
// # Stores
//
//	Memory   bytes in memory; lives as long as the process
//	File     bytes and everything else in a journal; index is rebuilt from it
//
// A third, for nodes that share theirs, is in Redis: package redisinbox.
//
// # Life of a commit
//
//	plan    judged and numbered; at the end of the inboxes, shown to nobody
//	        records written and synced (File)
//	commit  bodies get their places: now it can be fetched, and is accepted
//	undo    instead, when they could not be written: as if it had never been
//
// In Memory nothing can fail, and what is planned is shown at once: so small commits
// can go in between while a message to all is put into a million inboxes.
//
// What takes long is done in slices, between which the index is free: a device
// that acknowledges waits for some tenths of a millisecond.
//
// # Lock order
//
// Memory.planning (which a Spread lets go of) or the committing goroutine of File, then index.mu. Nothing is
// called while index.mu is held but the store's own content.
package inbox
