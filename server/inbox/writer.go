package inbox

// writer takes what operations want to have stored. Methods that begin a place
// for content return a record, whose place is known at commit.
type writer interface {
	// message returns the bytes of a message, valid until the next call.
	message(m *Message) []byte
	// keep takes the content of a new body, before anybody can ask for it.
	keep(body uint32, content []byte)
	// put stores a message for one device.
	put(ref Ref, seq uint64, now uint32, content []byte) (record int)
	// shared stores a message for the devices of several puts, as numbered.
	shared(puts []*Put, now uint32, content []byte) (record int)
	// spread stores a message for s.receivers, whose last number is that of it.
	spread(x *index, s *Spread, now uint32, content []byte) (record int)
	latest(topic string, expires uint32, m *Message) (record int)
	clear(topic string)
	subscription(ref Ref, topic string, on bool)
	remove(ref Ref)
	// place returns where a record's content is: not 0.
	place(record int) uint64
}
