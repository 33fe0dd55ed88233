// Package host is one ARP host: it wires the routing table, the ARP entries and
// the tunables to interfaces.
//
//	   programs            IP side (takeover, TUN)
//	Resolve, Output      Demand, Used   ▲ Neighbours, Router, Addressing
//	       │                   │        │
//	       ▼                   ▼        │
//	┌───────────────────────────────────┴───┐
//	│ Host   routes ─ entries ─ timers      │──▶ events
//	│        proxy rules                    │
//	└──────┬───────────────────────▲────────┘
//	       ▼ WriteFrames           │ ReadFrames
//	┌──────────────────────────────┴────────┐
//	│ Port   an interface's link side       │
//	└───────────────────────────────────────┘
//
// # Concurrency
//
// Every method of [Host] and [Interface] is safe for concurrent use. One mutex
// guards everything that changes. The path of a packet to a neighbour that is
// known takes no lock: it reads one atomic word of the routing table's clone.
//
// What happens under the lock appends its effects to queues, one for each sink:
// the frames of an interface, the bindings and the own addresses of the IP side,
// the events. Each is carried out in order, all but the events outside the lock. A
// sink never calls back into the host, but that of the own addresses may. A request that needs a routing decision of the Router is
// answered when it has come, by the goroutine that asks.
//
// A Host knows no operating system and runs under testing/synctest.
package host
