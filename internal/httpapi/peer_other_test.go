//go:build !linux

package httpapi

const childSocket = "ISAT_TEST_CHILD_SOCKET"

// child is a caller with other credentials, which only Linux tells.
func child() {}
