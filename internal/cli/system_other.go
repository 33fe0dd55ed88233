//go:build !linux

package cli

// addLinux adds nothing: the daemon needs Linux, and says so.
func addLinux(*Programs) {}
