package journal

// FS is the part of a file system that a journal needs: one flat directory.
// Dir is the real one; tests put one in its place that fails (diskfault).
// Names hold no separators. Errors of the system are passed on so that
// errors.Is finds them: the journal asks for ENOSPC, EDQUOT and EIO.
type FS interface {
	// List returns the names of all files, in any order.
	List() ([]string, error)
	// Create makes an empty file for reading and writing; it is an error if the
	// name is taken. The name is durable after SyncDir.
	Create(name string) (File, error)
	// Open opens a file for reading and writing.
	Open(name string) (File, error)
	// Remove takes the name away, durably after SyncDir. A File that is open
	// stays readable.
	Remove(name string) error
	// SyncDir makes all names created and removed so far durable.
	SyncDir() error
	// Close gives the directory back. Files are closed before.
	Close() error
}

// File is an open file of an FS. ReadAt is called by many goroutines at once,
// also beside the others, which one goroutine calls at a time.
type File interface {
	// ReadAt is as in io.ReaderAt.
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt is as in io.WriterAt: n < len(p) comes with an error.
	WriteAt(p []byte, off int64) (int, error)
	// Datasync returns once the file's bytes and its size are durable. After an
	// error nobody knows which are.
	Datasync() error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate makes the file n bytes long.
	Truncate(n int64) error
	Close() error
}
