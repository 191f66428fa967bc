package cluster

import (
	"fmt"
	"math"
	"time"

	"roost/ring"
	"roost/ring/zones"
)

// PlanSettings say when a new version is made. The zero value of each is its
// default. As JSON they have these names, and times in nanoseconds.
type PlanSettings struct {
	// Unit is how many devices a ring weight of 1 stands for; default 10,000. It is
	// one number for the cluster, and stays: weights of nodes are absolute.
	Unit float64
	// PointsPerUnit and TableBits are the first ring's (ring.Options).
	PointsPerUnit, TableBits int
	// Joins and weights wait until nothing more was wanted for Quiet (1 s), at most
	// Most (5 s): a cluster that starts is one version, not one a node.
	Quiet, Most time.Duration
	// Dead nodes are removed when nobody else has died for RemoveQuiet (200 ms), at
	// most Quiet; more than half of the ring's only after MostGone (15 s): they may be
	// about to register anew.
	RemoveQuiet, MostGone time.Duration
	// A weight is followed if it differs by Band (0.10) or more from the ring's; then all
	// are that differ by more than Inner (0.02). A full step of decay's live weight is as much.
	Band, Inner float64
	// WeightsEvery is the least time between two versions that only weights ask for;
	// default 5 min.
	WeightsEvery time.Duration
	// AfterRollback is how long joins and weights are left alone after a rollback;
	// default 10 min.
	AfterRollback time.Duration
	// Zones say when zones are evened out; an Every below 0 is never.
	Zones zones.Settings
	// Share of ring.ShareUnit with which a canary begins; default 500, 5 %.
	// ring.ShareUnit is no canary: all versions are in force at once.
	Share int
}

// WithDefaults returns s with zero fields replaced by their defaults.
func (s PlanSettings) WithDefaults() PlanSettings {
	for _, f := range []struct {
		v   *float64
		def float64
	}{{&s.Unit, 10_000}, {&s.Band, 0.10}, {&s.Inner, 0.02}} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	for _, f := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&s.Quiet, time.Second}, {&s.Most, 5 * time.Second}, {&s.RemoveQuiet, 200 * time.Millisecond},
		{&s.MostGone, 15 * time.Second}, {&s.WeightsEvery, 5 * time.Minute}, {&s.AfterRollback, 10 * time.Minute},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	if s.Share == 0 {
		s.Share = 500
	}
	return s
}

// Validate returns what is wrong and what to do about it, or nil. Defaults are
// filled in first.
func (s PlanSettings) Validate() error {
	s = s.WithDefaults()
	switch {
	case !(s.Unit > 0) || math.IsInf(s.Unit, 0):
		return fmt.Errorf("%w: plan: %v devices to a weight of 1: above 0", ErrOptions, s.Unit)
	case !(s.Inner >= 0 && s.Inner <= s.Band && s.Band < 1):
		return fmt.Errorf("%w: plan: inner %v, band %v: 0 <= inner <= band < 1, 0.10 is 10 %%", ErrOptions, s.Inner, s.Band)
	case s.Share < 1 || s.Share > ring.ShareUnit:
		return fmt.Errorf("%w: plan: a share of %d: 1 to %d", ErrOptions, s.Share, ring.ShareUnit)
	case s.Quiet < 0 || s.Most < s.Quiet || s.RemoveQuiet < 0 || s.MostGone < 0 || s.WeightsEvery < 0 || s.AfterRollback < 0:
		return fmt.Errorf("%w: plan: a time that is negative, or most %v below quiet %v", ErrOptions, s.Most, s.Quiet)
	}
	if _, err := s.Zones.Slots.Validate(); err != nil {
		return fmt.Errorf("%w: plan: zones: %w", ErrOptions, err)
	}
	_, err := ring.Build(1, nil, ring.Options{PointsPerUnit: s.PointsPerUnit, TableBits: s.TableBits})
	return err
}

// Follows reports whether a version is made of a weight that a node shall have in place of the
// one that it has in the ring, which is above 0. What is missing to Band by rounding does not count.
func (s PlanSettings) Follows(weight, held float64) bool {
	return math.Abs(weight/held-1) >= s.Band-1e-9
}
