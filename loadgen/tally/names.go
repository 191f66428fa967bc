package tally

import (
	"encoding/json"
	"fmt"
)

// histNames are the names of histograms, in files and in metrics.
var histNames = [NumHists]string{
	Connect: "connect", Greeting: "greeting", DialLag: "dial_lag", SendLag: "send_lag", PublishAck: "publish_ack",
	RxLag: "rx_lag", Restore: "restore", RestoreAt: "restore_at", Silence: "silence", FanFirst: "fan_first",
	FanMedian: "fan_median", FanLast: "fan_last", FanSpread: "fan_spread", Hiccup: "hiccup",
}

// groupHistNames are those of groups' histograms.
var groupHistNames = [NumGroupHists]string{
	Delivery: "delivery", DeliverySent: "delivery_sent", DeliveryKernel: "delivery_kernel",
}

// String is the name of the histogram, as in files and metrics: send_lag.
func (id HistID) String() string { return histNames[id] }

// String is the name of the histogram, as in files and metrics: delivery_sent.
func (id GroupHistID) String() string { return groupHistNames[id] }

// Hists are a phase's histograms; nil where nothing was recorded. In JSON they
// are an object by name: a file stays readable when there are more of them.
type Hists [NumHists]*Hist

// GroupHists are a group's histograms, as Hists.
type GroupHists [NumGroupHists]*Hist

// MarshalJSON writes those that there are, by name.
func (h Hists) MarshalJSON() ([]byte, error) { return marshalNamed(h[:], histNames[:]) }

// UnmarshalJSON reads what MarshalJSON wrote. A name that is not known is an
// error.
func (h *Hists) UnmarshalJSON(data []byte) error { return unmarshalNamed(data, h[:], histNames[:]) }

// MarshalJSON writes those that there are, by name.
func (h GroupHists) MarshalJSON() ([]byte, error) { return marshalNamed(h[:], groupHistNames[:]) }

// UnmarshalJSON reads what MarshalJSON wrote. A name that is not known is an
// error.
func (h *GroupHists) UnmarshalJSON(data []byte) error {
	return unmarshalNamed(data, h[:], groupHistNames[:])
}

func marshalNamed(hists []*Hist, names []string) ([]byte, error) {
	m := map[string]*Hist{}
	for i, h := range hists {
		if h != nil {
			m[names[i]] = h
		}
	}
	return json.Marshal(m)
}

func unmarshalNamed(data []byte, hists []*Hist, names []string) error {
	var m map[string]*Hist
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	for i, name := range names {
		hists[i] = m[name]
		delete(m, name)
	}
	for name := range m {
		return fmt.Errorf("histogram %q is not known to this version", name)
	}
	return nil
}
