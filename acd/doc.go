// Package acd detects address conflicts: whether an address is free before it is
// used, and whether somebody else uses it afterwards. It is RFC 5227's idea with
// the rules of Solaris' arp(7P), facts/solaris-arp-ipmp.md section 3.
//
//	           ARP packets        Interface: tunables, randomness,
//	               │              budget and pace of what is sent
//	               ▼                        │
//	Judge ──▶ Verdict ──▶ Address ◀─────────┘
//	                     (one machine an address)
//	                        │
//	                        ▼
//	   probes, announcements, replies; use, suspend, withdraw, restore
//
// [Judge] tells what a packet means to an address: the table of verdicts. An
// [Address] is a pure machine: it has no clock, no lock and no goroutine. The
// owner calls [Address.Handle] with the time and what happened, carries the
// returned effects out in their order, and calls again when [Address.Deadline]
// comes. What the addresses of a network interface share is an [Interface].
//
// docs/dad.md has the tables of verdicts and transitions, and says which number
// is from where.
package acd
