// Package instance makes sure that at most one isat daemon runs in a network
// namespace.
//
// The daemon holds a name among the abstract Unix sockets (unix(7)). Those names
// are the network namespace's own, need no directory that can be written, and are
// free again the instant the process that holds them dies, SIGKILL included. The
// socket serves nothing. It listens only because a listening socket tells who
// connects to it the process that holds it (SO_PEERCRED).
//
// Abstract names have no permissions: any process of the namespace may take this
// one first and so keep the daemon from starting. The error then names it.
//
// The package works on Linux only.
package instance
