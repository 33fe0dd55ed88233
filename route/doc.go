// Package route is the routing table of one ARP host: the networks it knows and,
// below each network that is on a link, the host routes that carry its ARP
// entries. It follows the cloning routes of FreeBSD 7 (route(4), arp(4)).
//
//	Table ── host-wide ──▶ Network 0.0.0.0/0     via 192.0.2.1   UG
//	   │                   Network 192.0.2.0/24  e0 metric 0     UC ──▶ Clones ──▶ 192.0.2.1   *E
//	   │                   Network 192.0.2.0/24  e1 metric 10    UC ──▶ Clones     192.0.2.77  *E
//	   │                                                          ▲
//	   └──── by interface ── e0 ── the on-link networks of e0 ────┘
//	                            └─ implicit 0.0.0.0/0 of e0 ────────▶ Clones
//
// A [Network] is a route to a prefix. One with the flag [Cloning] is on the link
// of its interface and owns its [Clones], so that the key of an entry is
// (interface, address). What a clone carries is of type E, of which this package
// knows nothing; package host puts the entries of package cache there.
//
// # Concurrency
//
// There is one writer: every method that changes something says "Writer" and is
// called under the host's lock, one at a time. Every other method takes no lock,
// may run beside the writer and beside itself, and does not block it. Nothing but
// sync/atomic publishes what the writer did.
//
// IPv4 only. An IPv4-mapped IPv6 address is no IPv4 address here: nothing is
// found for it, and unmapping it is left to the caller.
package route
