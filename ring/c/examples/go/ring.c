/* cgo compiles the C files beside the Go files. */
#include "../../ring.c"
