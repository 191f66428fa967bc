// Package access says how a process reaches etcd and Redis: addresses, TLS files, users
// and passwords, read from flags, files and the environment, the same way for roostd and
// roostctl.
//
// Passwords are never flags, which any user of the machine can read in a list of
// processes: they are in a file, or in the environment. (A Redis URL may have one, as
// URLs do; --redis-password-file is for those who mind.)
//
// A TLS peer is verified always, against the authority that is named or else the
// system's, by the host of its address. Certificate and key are read again at every
// connect, so that short-lived ones may be renewed in place; the authority is read at
// the start.
package access
