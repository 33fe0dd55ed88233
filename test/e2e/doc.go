// Package e2e tests the isat daemon against referees: the plain Linux kernel,
// arping of iputils, arp of net-tools, ip of iproute2, tshark, which decodes every
// frame that the daemon sent, scapy, which makes the frames that no sound host
// would send, systemd-networkd and NetworkManager, which detect duplicates by
// themselves, and keepalived, which moves an address between hosts. It consists of
// tests and their harness only.
//
// Each test draws its own network of namespaces:
//
//	┌ namespace isat ──────┐          ┌ namespace peer ──────┐
//	│ isat daemon          │          │ plain Linux kernel   │
//	│ kernel   e0 ────────────────────── e0   arping, scapy  │
//	│ 192.0.2.1            │          │ 192.0.2.2            │
//	│ 02:00:00:00:00:01    │          │ 02:00:00:00:00:02    │
//	└──────────────────────┘          └──────────────────────┘
//
// The tests need Linux, root and the referees. Where something is missing they are
// skipped with the reason; with ISAT_REQUIRE_E2E=1 in the environment they fail.
package e2e
