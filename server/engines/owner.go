package engines

// Owner is who a server belongs to: a test (every testing.TB is one), or a bench. A
// server ends with its owner.
type Owner interface {
	// Helper marks the caller as one whose line does not matter.
	Helper()
	// Fatalf ends the owner's goroutine with what went wrong; it does not return.
	Fatalf(format string, args ...any)
	// Cleanup has f called when the owner ends, the last first.
	Cleanup(f func())
	// TempDir returns a new folder that is there as long as the owner.
	TempDir() string
}
