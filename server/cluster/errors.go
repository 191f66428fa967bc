package cluster

import (
	"errors"
	"fmt"
)

// What is refused for what was asked. The text around them says of which key,
// and what to do.
var (
	// ErrOptions: settings that cannot be.
	ErrOptions = errors.New("cluster: options refused")
	// ErrMember: a member, or its weight, that cannot be.
	ErrMember = errors.New("cluster: member refused")
	// ErrAccess: etcd answers, and does not let this process in: TLS, user, password or
	// permissions are not what it wants.
	ErrAccess = errors.New("cluster: no access to etcd")
	// ErrTooBig: more bytes than etcd takes in one value.
	ErrTooBig = errors.New("cluster: too big")
)

// What is refused for the state of the cluster.
var (
	// ErrOtherCluster: the prefix belongs to another cluster, or environment.
	ErrOtherCluster = errors.New("cluster: the prefix belongs to another cluster")
	// ErrNoCluster: nobody has the prefix.
	ErrNoCluster = errors.New("cluster: the prefix belongs to no cluster")
	// ErrTaken: another process that lives has the node's id.
	ErrTaken = errors.New("cluster: the node id is taken")
	// ErrConflict: a version is there with other content.
	ErrConflict = errors.New("cluster: the version exists with other content")
	// ErrNoVersion: no such version is stored.
	ErrNoVersion = errors.New("cluster: no such ring version")
	// ErrNoCanary: nothing is on trial.
	ErrNoCanary = errors.New("cluster: no canary")
	// ErrMoved: somebody else has changed the pointer since it was read, or what else a
	// change was decided by.
	ErrMoved = errors.New("cluster: the ring pointer, or what else was looked at, has moved")
	// ErrNotPlanner: who writes is not the planner any more.
	ErrNotPlanner = errors.New("cluster: not the planner any more")
)

// What is found damaged.
var (
	// ErrDamaged: a value, or the file, is not what was written.
	ErrDamaged = errors.New("cluster: damaged")
)

// errLost says that a key that was held is not held any more.
var errLost = errors.New("cluster: the lease or the key is gone")

// MovedError is an ErrMoved with the pointer as it is now, for who wants to look
// and try again.
type MovedError struct {
	Expected int64 // activation that was expected
	Now      Pointer
}

// Error says both activations.
func (e *MovedError) Error() string {
	return fmt.Sprintf("%v: it is at activation %d (stable %d, canary %d), %d was expected: look again, then decide",
		ErrMoved, e.Now.Activation, e.Now.Stable, e.Now.Canary, e.Expected)
}

// Unwrap makes errors.Is(err, ErrMoved) true.
func (e *MovedError) Unwrap() error { return ErrMoved }
