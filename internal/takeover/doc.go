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
// The package works on Linux only.
package takeover
