// This file is empty on purpose: a function without a body (openPoll in
// netpoll.go) compiles only in a package that has assembly.
