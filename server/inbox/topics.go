package inbox

import (
	"slices"
	"strings"
)

// topics are the subscriptions of devices and the latest values of topics. A
// topic exists while it has either.
type topics struct {
	byName map[string]*topic
	byID   []*topic // nil where free
	free   []uint32
	nodes  slab[subscribed]
	bytes  int64 // of latest values

	subscribed int64 // bytes of the names of all devices' topics

	// Of what is planned and not committed.
	planned  map[Ref][]*Subscription // that will change something
	reserved int64                   // bytes of latest values
}

// topic is one topic.
type topic struct {
	id      uint32
	name    string
	members []uint32 // numbers in topics.nodes
	latest  []byte   // content of the latest value, nil for none
	expires uint32   // of latest
	loc     uint64   // of latest
	pins    int32    // planned operations that need it
	setting int32    // those of them that set its latest value
}

// subscribed is a device's membership in a topic: 16 bytes.
type subscribed struct {
	ref   Ref
	topic uint32
	pos   uint32 // in topic.members
	next  uint32 // the device's next one, 0 for none
}

func (t *topics) init() {
	t.byName, t.byID, t.planned = map[string]*topic{}, nil, map[Ref][]*Subscription{}
}

// makeTopic returns the topic, making it if there is room.
func (x *index) makeTopic(name string) (*topic, error) {
	t := &x.topics
	if have := t.byName[name]; have != nil {
		return have, nil
	}
	if len(t.byName) >= x.limits.Topics {
		return nil, ErrTopics
	}
	made := &topic{name: strings.Clone(name)}
	if n := len(t.free); n > 0 {
		made.id = t.free[n-1]
		t.free = t.free[:n-1]
		t.byID[made.id] = made
	} else {
		made.id = uint32(len(t.byID))
		t.byID = append(t.byID, made)
	}
	t.byName[made.name] = made
	return made, nil
}

// pin keeps a topic, or makes it, for an operation that will need it.
func (x *index) pin(name string) (*topic, error) {
	it, err := x.makeTopic(name)
	if err == nil {
		it.pins++
	}
	return it, err
}

func (x *index) unpin(it *topic) {
	it.pins--
	x.topics.dropTopic(it)
}

// shows reports whether the topic exists for others than planned operations.
func (it *topic) shows() bool { return len(it.members) > 0 || it.latest != nil }

// dropTopic forgets a topic that nobody needs.
func (t *topics) dropTopic(it *topic) {
	if it.shows() || it.pins > 0 {
		return
	}
	delete(t.byName, it.name)
	t.byID[it.id] = nil
	t.free = append(t.free, it.id)
}

// membership returns the device's subscription to a topic and how many it has.
func (x *index) membership(d *device, name string) (node uint32, n int) {
	for i := d.subs; i != 0; i = x.topics.nodes.at(i).next {
		n++
		if x.topics.byID[x.topics.nodes.at(i).topic].name == name {
			node = i
		}
	}
	return node, n
}

// subscribe adds a device to a topic.
func (x *index) subscribe(ref Ref, d *device, name string) error {
	node, n := x.membership(d, name)
	if node != 0 {
		return nil
	}
	if n >= MaxSubscriptions {
		return ErrSubscriptions
	}
	it, err := x.makeTopic(name)
	if err != nil {
		return err
	}
	i, v := x.topics.nodes.alloc()
	*v = subscribed{ref: ref, topic: it.id, pos: uint32(len(it.members)), next: d.subs}
	d.subs = i
	x.changes++
	it.members = append(it.members, i)
	x.topics.subscribed += int64(len(name)) + 1
	return nil
}

// unsubscribe takes a device out of a topic.
func (x *index) unsubscribe(d *device, name string) {
	node, _ := x.membership(d, name)
	if node == 0 {
		return
	}
	link := &d.subs
	for *link != node {
		link = &x.topics.nodes.at(*link).next
	}
	*link = x.topics.nodes.at(node).next
	x.leave(node)
}

// unsubscribeAll takes a device out of all its topics.
func (x *index) unsubscribeAll(d *device) {
	for d.subs != 0 {
		node := d.subs
		d.subs = x.topics.nodes.at(node).next
		x.leave(node)
	}
}

// leave takes a membership out of its topic; the last one fills the gap.
func (x *index) leave(node uint32) {
	x.changes++
	v := *x.topics.nodes.at(node)
	it := x.topics.byID[v.topic]
	x.topics.subscribed -= int64(len(it.name)) + 1
	last := it.members[len(it.members)-1]
	it.members[v.pos] = last
	x.topics.nodes.at(last).pos = v.pos
	it.members = it.members[:len(it.members)-1]
	x.topics.nodes.release(node)
	x.topics.dropTopic(it)
}

// setLatest replaces a topic's latest value.
func (x *index) setLatest(it *topic, content []byte, expires uint32, loc uint64) {
	x.topics.bytes += int64(len(content)) - int64(len(it.latest))
	it.latest, it.expires, it.loc = content, expires, loc
	if content == nil {
		x.topics.dropTopic(it)
	}
}

// latestOf returns a topic with a latest value that has not expired.
func (x *index) latestOf(name string) *topic {
	it := x.topics.byName[name]
	if it == nil || it.latest == nil || it.expires <= x.seconds() {
		return nil
	}
	return it
}

// topicNames returns the names of a device's topics, sorted.
func (x *index) topicNames(d *device) (names []string) {
	for i := d.subs; i != 0; i = x.topics.nodes.at(i).next {
		names = append(names, x.topics.byID[x.topics.nodes.at(i).topic].name)
	}
	slices.Sort(names)
	return names
}

func (it *topic) info(now uint32) TopicInfo {
	return TopicInfo{Topic: it.name, Subscribers: len(it.members), Latest: it.latest != nil && it.expires > now}
}
