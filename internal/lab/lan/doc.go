// Package lan builds the network of the lab: hosts in network namespaces of their
// own, joined by a bridge in another. Each host has one Ethernet interface, eth0,
// a veth whose other end is a port of the bridge.
//
//	 alice        bob        router ────── far
//	   │eth0       │eth0      │eth0  eth1    eth0
//	───┴───────────┴────┬─────┴─── bridge
//	                    │eth0
//	                  isat
//
// It needs Linux; on other systems the package is empty.
package lan
