// Here so that the compiler takes functions without bodies: those of ringhash.go.
