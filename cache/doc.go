// Package cache has the ARP entry of one neighbour: its states, its timers and
// the queue of packets that wait for it. It is the part of isat that another
// network stack embeds alone.
//
// An [Entry] is a pure machine. It has no clock, no lock and no goroutine: the
// owner calls [Entry.Handle] with the time and what happened, carries the
// returned effects out, and calls again when [Entry.Deadline] comes. The rules
// are those of FreeBSD's arp(4): facts/freebsd-arp.md sections 2.2 and 2.4.
package cache
