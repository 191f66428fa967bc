package fanout

// maxNotices is how many calls of hooks wait before those who report them do.
const maxNotices = 256

// notices calls hooks one after the other, so that none of them holds up a line or a
// reader.
type notices struct {
	calls chan func()
	over  chan struct{} // closed by close
	ended chan struct{}
}

func newNotices() *notices {
	n := &notices{calls: make(chan func(), maxNotices), over: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(n.ended)
		for {
			select {
			case call := <-n.calls:
				call()
			case <-n.over:
				return
			}
		}
	}()
	return n
}

// tell waits for room, or for close.
func (n *notices) tell(call func()) {
	select {
	case n.calls <- call:
	case <-n.over:
	}
}

// try tells it if there is room.
func (n *notices) try(call func()) {
	select {
	case n.calls <- call:
	default:
	}
}

// close returns when no hook runs any more; what waits is not called.
func (n *notices) close() {
	close(n.over)
	<-n.ended
}
