// Package takeover makes isat the ARP of Linux interfaces. The kernel stays the
// data plane: it forwards, and asks isat for every address it does not know;
// isat speaks ARP on the wire and puts the answer into the kernel's neighbour
// table.
//
//	                 miss (RTM_GETNEIGH)        Demand
//	┌─────────────┐ ───────────────────▶ Misses ───────▶ ┌──────┐ ARP ┌──────┐
//	│ kernel      │   neighbours, links, addresses       │      │────▶│ link/│
//	│ neighbours  │ ───────────────────▶ Changes ──────▶ │ host │◀────│packet│
//	│ and routes  │ ◀─────────────────── Update ◀─────── │      │     └──────┘
//	└─────────────┘   RTM_NEWNEIGH, RTM_DELNEIGH         └──────┘
//	       ✕ guard: the kernel's own ARP on these interfaces
//
// Taking an interface over goes in this order, and handing it back in the
// reverse: checks (nothing is touched if one fails), packet socket, records of
// the settings, settings, entries, guard. Everything changed is in the records,
// so that `isat restore` puts it back after a SIGKILL.
//
// The own addresses go the other way, where there is DAD:
//
//	             addresses of the interface
//	┌────────┐ ───────────────────────────────▶ SetAddresses ──▶ ┌──────┐
//	│ kernel │ ◀─ rule of unverified addresses ─┐                │ host │
//	└────────┘ ◀─ take down, put back ◀─────────┴─ UpdateAddresses └──────┘
//
// What is taken down is written down before, and put back as it was by whoever comes:
// the host that finds it free, the end of the takeover, the next one, isat restore.
//
// The package works on Linux only.
package takeover
