// Package probe measures and disturbs a network of namespaces: it pings, keeps a
// TCP stream going, records ARP frames and sends hand-made ones. What it sees
// comes from the kernel's sockets and from the wire, never from the daemon under
// test.
//
// It needs Linux; elsewhere there is [Frame] alone.
package probe
