package redisinbox

import (
	"fmt"

	"roost/server/inbox"
)

// OpenAlone begins a session while Redis is away, so that a device is served with what
// needs no Redis: it is found, it can leave, live messages reach it. Nothing that is
// kept comes to it, and its acknowledgements are dropped: what the device says of its
// stream is repeated to it, as if it had all there is; one that says nothing gets a provisional
// epoch. The next OpenAs ends the session and judges what the device says then.
//
// fence is the session's: above all that this node has given or seen of the device, else
// the error is ErrOvertaken. The other error is inbox.ErrFailed, once the store is closed.
func (s *Store) OpenAlone(id []byte, r inbox.Resume, fence uint32) (o inbox.Opened, err error) {
	said := r.Given
	if said {
		o.Epoch, said = inbox.ParseEpoch(r.Epoch)
	}
	if said {
		o.Last, o.Acked, o.Resumed = r.Seq, r.Seq, true
	} else {
		o.Epoch = inbox.ProvisionalEpoch()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return o, fmt.Errorf("%w: it is closed", inbox.ErrFailed)
	}
	ref, d := s.m.begin(string(id))
	if !s.m.aloneFrom(ref, d, fence, o.Last) {
		s.m.failed(ref, s.seconds())
		return o, ErrOvertaken
	}
	o.Ref, o.Fence = ref, fence
	return o, nil
}

// aloneFrom is opened for a session that Redis does not know. What is known of the stream
// stays for the next session; it reports false for a fence that is not above the
// others.
func (m *mirror) aloneFrom(ref inbox.Ref, d *device, fence uint32, seq uint64) bool {
	if fence == 0 || d.fence|d.floor != 0 && int32(fence-max(d.fence, d.floor)) <= 0 {
		return false
	}
	if d.opening--; d.opening == 0 {
		d.changes = nil
	}
	d.fence, d.alone, d.stale, d.leftAt = fence, seq+1, false, 0
	return true
}

// Name appends the id of a device that is connected here, also once it was removed, for
// as long as its connection may last: a minute.
func (s *Store) Name(dst []byte, ref inbox.Ref) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.m.get(ref); d != nil {
		return append(dst, d.id...)
	}
	return dst
}
