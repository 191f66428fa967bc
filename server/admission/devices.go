package admission

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// deviceBurst is how many connects a device may make at once: the first one, two that are
	// cut at once and come back (rule 5 of the protocol waits no time where spread is small), one that
	// replaces a connection while that lasts, and one by another process of the device that goes on with
	// its session.
	deviceBurst = 5
	// MostInMinute is how many connects within a minute put a device into quarantine. A client that
	// keeps the protocol's rules makes 12 at most, whatever becomes of its connections
	// (TestRulesKeepOutOfQuarantine in server: 30,000 minutes of them).
	MostInMinute = 15
	// plannedFree is how many connects in slots of other nodes are free in a minute. That one was
	// planned the device says itself (hop), so there is an end to it.
	plannedFree = 5
	// fightShare is the part of a device's connects that has to have ended another client's living
	// connection for it to be a fight.
	fightShare = 0.5

	// A minute is counted in parts: it is 50 to 60 s long.
	parts    = 6
	partTime = time.Minute / parts
)

// Why is why a device may not connect now.
type Why uint8

// The reasons.
const (
	LetIn       Why = iota // it may
	TooFast                // more than its rate
	Quarantined            // it has connected too often, and is kept out for a while
)

// Devices remembers how often devices have connected of late: 65,536 of them, 48 bytes each, 3 MiB where
// as many devices come. Where a set is full, the device with the fewest connects is forgotten, and none in
// quarantine before others: at 2,000 connects a second of as many devices each is remembered for half a
// minute, and who comes again and again for as long as it does.
type Devices struct {
	// Static after NewDevices.
	rate       float64
	quarantine time.Duration

	table              table[device]
	early, kept        atomic.Uint64 // refused: by their rate, in quarantine
	flapping, fighting atomic.Uint64 // quarantines
}

// device is one that has connected of late. Its hash is 0 while nobody is.
type device struct {
	id       uint64
	at       time.Duration // when tokens were so
	tokens   float32       // connects that it may make
	until    uint32        // second in which its quarantine ends; 0: it is in none
	part     uint32        // number of the part of a minute that it has connected in last
	connects [parts]uint8  // by part, modulo parts
	overtook [parts]uint8  // of those, that ended the living connection of another client
	planned  [parts]uint8  // beside those: connects in slots of other nodes
}

// NewDevices returns a table in which a device may connect rate times a second, above 0, and
// is kept out for a quarantine (0: never) when it has connected MostInMinute times within a minute.
func NewDevices(rate float64, quarantine time.Duration) *Devices {
	return &Devices{rate: rate, quarantine: quarantine}
}

// Look says whether a device (a hash of its id, not 0) may connect now, and if not after how many whole seconds, from 1 on.
// planned is that another node has sent it here.
func (d *Devices) Look(now time.Duration, id uint64, planned bool) (after int, why Why) {
	set, mu := d.table.lock(id)
	defer mu.Unlock()
	v := known(set, id)
	if v == nil {
		return 0, LetIn
	}
	d.flow(v, now)
	if v.until != 0 {
		d.kept.Add(1)
		return max(int(v.until)-int(now/time.Second), 1), Quarantined
	}
	if v.tokens >= 1 || planned && sum(&v.planned) < plannedFree {
		return 0, LetIn
	}
	d.early.Add(1)
	return max(int(math.Ceil((1-float64(v.tokens))/d.rate)), 1), TooFast
}

// Quarantine says how it came to one.
type Quarantine struct {
	Connects int  // within a minute
	Overtook int  // of those, that ended the living connection of another client
	Fight    bool // so many of them that two clients seem to have one id
}

// Count takes note of a connect that was let in. began is that the device is kept out from now on:
// this connection it may keep.
func (d *Devices) Count(now time.Duration, id uint64, planned bool) (q Quarantine, began bool) {
	set, mu := d.table.lock(id)
	defer mu.Unlock()
	v := known(set, id)
	if v == nil {
		v = oldest(set, now)
		*v = device{id: id, at: now, tokens: deviceBurst, part: partOf(now)}
	}
	d.flow(v, now)
	at := v.part % parts
	if planned && sum(&v.planned) < plannedFree {
		v.planned[at]++
		return q, false
	}
	v.tokens = max(v.tokens-1, 0)
	v.connects[at] = uint8(min(int(v.connects[at])+1, math.MaxUint8))
	q.Connects = sum(&v.connects)
	if q.Connects < MostInMinute || d.quarantine == 0 || v.until != 0 {
		return q, false
	}
	q.Overtook = sum(&v.overtook)
	if q.Fight = float64(q.Overtook) >= fightShare*(MostInMinute-1); q.Fight { // of the last one it is not known yet
		d.fighting.Add(1)
	} else {
		d.flapping.Add(1)
	}
	v.until = uint32((now + d.quarantine + time.Second - 1) / time.Second)
	return q, true
}

// Overtook takes note that the connect of a device that was counted last has ended the living
// connection of another client.
func (d *Devices) Overtook(now time.Duration, id uint64) {
	set, mu := d.table.lock(id)
	defer mu.Unlock()
	if v := known(set, id); v != nil {
		d.flow(v, now)
		if n := &v.overtook[v.part%parts]; *n < math.MaxUint8 {
			*n++
		}
	}
}

// Expect takes note that a device was told by this node to come again: that connect does not count.
func (d *Devices) Expect(now time.Duration, id uint64) {
	set, mu := d.table.lock(id)
	defer mu.Unlock()
	v := known(set, id)
	if v == nil {
		return // it has not connected of late: one more is the first
	}
	d.flow(v, now)
	v.tokens = min(v.tokens+1, deviceBurst)
	for back := range uint32(parts) {
		if n := &v.connects[(v.part+parts-back)%parts]; *n > 0 {
			*n--
			return
		}
	}
}

// DeviceCounts are what has become of connects of devices since the start.
type DeviceCounts struct {
	Early, Kept        uint64 // refused: faster than the rate, in quarantine
	Flapping, Fighting uint64 // quarantines begun, by why
}

// Counts returns the counts.
func (d *Devices) Counts() DeviceCounts {
	return DeviceCounts{d.early.Load(), d.kept.Load(), d.flapping.Load(), d.fighting.Load()}
}

func partOf(now time.Duration) uint32 { return uint32(now / partTime) }

// flow lets time go by: after a quarantine a device begins anew.
func (d *Devices) flow(v *device, now time.Duration) {
	if v.until != 0 && now >= time.Duration(v.until)*time.Second {
		*v = device{id: v.id, at: now, tokens: deviceBurst, part: partOf(now)}
		return
	}
	if now > v.at {
		v.tokens = float32(min(float64(v.tokens)+d.rate*(now-v.at).Seconds(), deviceBurst))
		v.at = now
	}
	for part := partOf(now); v.part < part; v.part++ {
		if part-v.part > parts {
			v.part = part - parts // what lies before is over anyway
		}
		next := (v.part + 1) % parts
		v.connects[next], v.overtook[next], v.planned[next] = 0, 0, 0
	}
}

// known returns the entry of a device, nil if it has none.
func known(set []device, id uint64) *device {
	for i := range set {
		if set[i].id == id {
			return &set[i]
		}
	}
	return nil
}

// oldest returns the entry that is given up for another device: a free one, else that of the
// device with the fewest connects, and of those the one that was here first.
func oldest(set []device, now time.Duration) *device {
	best := &set[0]
	for i := range set {
		v := &set[i]
		if v.id == 0 {
			return v
		}
		if a, b := v.worth(now), best.worth(now); a < b || a == b && v.at < best.at {
			best = v
		}
	}
	return best
}

// worth is how many connects would be forgotten with a device; one in quarantine goes after all others.
func (v *device) worth(now time.Duration) int {
	switch {
	case v.until != 0 && now < time.Duration(v.until)*time.Second:
		return 1 << 10
	case partOf(now) >= v.part+parts:
		return 0
	}
	return sum(&v.connects)
}

func sum(counts *[parts]uint8) (n int) {
	for _, c := range counts {
		n += int(c)
	}
	return n
}
