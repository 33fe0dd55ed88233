// Package api has the types of isat's HTTP socket and a client for it. It is
// what a Go program imports to talk to a running daemon, and it imports the
// standard library only.
//
// The socket speaks HTTP/1.1 with JSON over a Unix socket; docs/api.md lists
// its paths. Times are RFC 3339, durations are [Seconds], addresses are text. An
// issue of isat may add keys, it does not rename or change one: read what you
// know and ignore the rest, as [Client] does.
package api

// DefaultSocket is where the daemon listens if its configuration says nothing
// else.
const DefaultSocket = "/run/isat/isat.sock"
