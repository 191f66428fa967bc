// Package jsonscan steps through JSON texts (RFC 8259) in place: a Scanner hands
// out parts of the text, and numbers. It knows what JSON is, not what its users
// want to read: they walk over the objects and arrays that are theirs with
// Accept, Text and More, and pass over all others with Value.
//
// It is our own because every message of a device and every line of a publish
// goes through it: encoding/json makes 9 allocations for a heartbeat, takes
// seven times as long for a publish, and cannot tell keys that come twice. Its
// oracle in the tests is encoding/json.
//
// Nothing allocates but errors and strings with escapes. Whether strings are
// UTF-8 is not looked at: users who need that check their input, or the part
// that they keep.
package jsonscan
