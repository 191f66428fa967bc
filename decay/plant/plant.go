package plant

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"roost/decay"
)

// Settings are a cluster's. Zero fields mean their defaults.
type Settings struct {
	Nodes       int           // default 64
	Capacities  []float64     // in turn; default 0.7, 1, 1.3
	Connections float64       // default 1,000,000
	Life        time.Duration // mean life of a connection; default 30 min
	Load        float64       // utilisation of a node at the mean; default 0.5
	Handshake   float64       // utilisation per placement a second on a node of capacity 1; default 0.0005
	Noise       float64       // relative deviation of what is measured; default 0.02; decay.Off
	Sample      time.Duration // between samples of a node, whole seconds; default 1 s
	Stale       time.Duration // age of a sample when it is known, a multiple of Sample; default 5 of them; decay.Off
	RingSkew    float64       // relative deviation of a node's share from its weight, for good; default none
	Unknown     bool          // the pipeline is told that all capacities are 1
	Moves       bool          // connections follow the weights
	Run         time.Duration // default 2 h
	Warmup      time.Duration // not measured; default 30 min; decay.Off
	Seed        uint64

	Join Join
	Drop Drop
}

// Join is an empty node that joins. The zero value is none.
type Join struct {
	At       time.Duration // after the start
	Capacity float64       // default 1.3
}

// Drop is a mass disconnect: all connections of the first Share of the nodes
// end, and come back over a time. The zero value is none.
type Drop struct {
	At    time.Duration
	Share float64       // of the nodes
	Back  time.Duration // mean time to come back; default 20 s
}

// Weights says which of the controller's weights the ring has.
type Weights uint8

// The weights of a ring.
const (
	Capacities Weights = iota // those it was told: no feedback
	Placed                    // Controller.Weight
	Lived                     // Controller.LiveWeight
)

// Policy is how weights are made.
type Policy struct {
	Name     string
	Weights  Weights
	Pipeline decay.Settings
	Control  decay.ControlSettings
}

// withDefaults fills zero fields.
func (s Settings) withDefaults() Settings {
	s.Nodes = cmp.Or(s.Nodes, 64)
	if len(s.Capacities) == 0 {
		s.Capacities = []float64{0.7, 1, 1.3}
	}
	s.Connections = cmp.Or(s.Connections, 1e6)
	s.Life = cmp.Or(s.Life, 30*time.Minute)
	s.Load = cmp.Or(s.Load, 0.5)
	s.Handshake = cmp.Or(s.Handshake, 0.0005)
	s.Noise = cmp.Or(s.Noise, 0.02)
	s.Sample = cmp.Or(s.Sample, time.Second)
	s.Stale = cmp.Or(s.Stale, 5*s.Sample)
	s.Run = cmp.Or(s.Run, 2*time.Hour)
	s.Warmup = cmp.Or(s.Warmup, 30*time.Minute)
	s.Join.Capacity = cmp.Or(s.Join.Capacity, 1.3)
	s.Drop.Back = cmp.Or(s.Drop.Back, 20*time.Second)
	s.Noise, s.Stale, s.Warmup = max(s.Noise, 0), max(s.Stale, 0), max(s.Warmup, 0)
	return s
}

// Validate returns nil, or all that is wrong.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var wrong []error
	within := func(name string, v, lo, hi float64) {
		if !(v >= lo && v <= hi) {
			wrong = append(wrong, fmt.Errorf("%s is %v, not within %v to %v", name, v, lo, hi))
		}
	}
	within("nodes", float64(s.Nodes), 1, 4096)
	for _, c := range s.Capacities {
		within("capacity", c, 0.01, 100)
	}
	within("connections", s.Connections, 1, 1e9)
	within("life in seconds", s.Life.Seconds(), 1, 1e7)
	within("load", s.Load, 0.001, 0.95)
	within("handshake", s.Handshake, 0, 1)
	within("noise", s.Noise, 0, 1)
	within("sample in seconds", s.Sample.Seconds(), 1, 600)
	within("stale in seconds", s.Stale.Seconds(), 0, 600)
	if s.Sample%time.Second != 0 {
		wrong = append(wrong, fmt.Errorf("sample is %v: want whole seconds, the simulation's step", s.Sample))
	}
	if s.Sample > 0 && s.Stale%s.Sample != 0 {
		wrong = append(wrong, fmt.Errorf("stale is %v: want a multiple of sample, %v", s.Stale, s.Sample))
	}
	within("ring skew", s.RingSkew, 0, 0.5)
	within("run in seconds", s.Run.Seconds(), 1, 1e6)
	within("warm-up of a run", float64(s.Warmup), 0, float64(s.Run))
	within("joiner's capacity", s.Join.Capacity, 0.01, 100)
	within("join in seconds", s.Join.At.Seconds(), 0, 1e6)
	within("dropped share", s.Drop.Share, 0, 1)
	within("drop in seconds", s.Drop.At.Seconds(), 0, 1e6)
	within("back after a drop in seconds", s.Drop.Back.Seconds(), 1e-3, 1e6)
	if len(wrong) > 0 {
		return fmt.Errorf("plant settings: %w", errors.Join(wrong...))
	}
	return nil
}

// node is one node of the plant.
type node struct {
	capacity float64 // true
	told     float64 // to the pipeline
	skew     float64
	active   float64 // connections
	arrived  float64 // in the last second
	handle   decay.Node
	seen     []decay.Sample // the last Stale seconds, a ring
}

// utilisation returns the node's, from 0 to 1. perUnit is the mean number of
// connections of a node of capacity 1.
func (n *node) utilisation(s *Settings, perUnit float64) float64 {
	u := s.Load*n.active/(n.capacity*perUnit) + s.Handshake*n.arrived/n.capacity
	return math.Min(u, 1)
}
