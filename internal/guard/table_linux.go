//go:build linux

package guard

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Names of the objects, as `nft list ruleset` shows them.
const (
	guardName        = "isat"     // of the tables that keep interfaces
	sendersName      = "isat_dad" // of the table that keeps addresses
	guardedSet       = "guarded"
	unverifiedSet    = "unverified"
	inputChain       = "input"
	outputChain      = "output"
	preroutingChain  = "prerouting"
	postroutingChain = "postrouting"
)

// table is what one guard consists of: a set, and chains that drop what matches
// one of its elements.
type table struct {
	family     uint8
	familyName string // as nft(8) has it
	name       string
	feature    string // that a kernel without the family lacks
	set        set
	chains     []chain
}

// set is a set whose elements time out.
type set struct {
	name    string
	keyType uint32 // nft(8)'s number of the data type; the kernel only keeps it, for nft list
	keyLen  uint32 // in bytes
	order   uint32 // of the bytes of a key, for nft list
}

// chain is a base chain of type filter with its one rule: what match leaves in
// the register is looked up in the set, counted and dropped.
type chain struct {
	name     string
	hook     uint32
	priority int32
	match    func(*expressions)
}

// Values of linux/netfilter_arp.h, linux/netfilter.h and linux/netfilter_ipv4.h.
const (
	hookARPInput    = 0 // NF_ARP_IN
	hookARPOutput   = 1 // NF_ARP_OUT
	hookPrerouting  = 0 // NF_INET_PRE_ROUTING
	hookPostrouting = 4 // NF_INET_POST_ROUTING

	priorityFilter = 0    // NF_IP_PRI_FILTER
	priorityRaw    = -300 // NF_IP_PRI_RAW: before connection tracking sees the packet
	// priorityLast is after source NAT (NF_IP_PRI_NAT_SRC, 100), which may give a
	// packet the address, and before the connection is confirmed (INT_MAX):
	// NF_IP_PRI_CONNTRACK_HELPER.
	priorityLast = 300
)

// interfaces is a set of interface names.
var interfaces = set{name: guardedSet, keyType: ifnameType, keyLen: unix.IFNAMSIZ, order: hostOrder}

// arpTable silences the kernel's ARP.
func arpTable() table {
	return table{
		family: unix.NFPROTO_ARP, familyName: "arp", name: guardName, feature: featureARP, set: interfaces,
		chains: []chain{
			{inputChain, hookARPInput, priorityFilter, func(e *expressions) { e.meta(unix.NFT_META_IIFNAME) }},
			{outputChain, hookARPOutput, priorityFilter, func(e *expressions) { e.meta(unix.NFT_META_OIFNAME) }},
		},
	}
}

// ipTable keeps IPv4 from the kernel.
func ipTable() table {
	return table{
		family: unix.NFPROTO_IPV4, familyName: "ip", name: guardName, feature: featureIP, set: interfaces,
		chains: []chain{
			{preroutingChain, hookPrerouting, priorityRaw, func(e *expressions) { e.meta(unix.NFT_META_IIFNAME) }},
		},
	}
}

// Of struct iphdr, linux/ip.h.
const (
	sourceOffset = 12
	addressLen   = 4
)

// loopbackIndex is the index of lo in every namespace (LOOPBACK_IFINDEX of
// include/net/flow.h).
const loopbackIndex = 1

// sendersTable keeps the kernel from sending from addresses, by whichever
// interface but lo.
func sendersTable() table {
	return table{
		family: unix.NFPROTO_IPV4, familyName: "ip", name: sendersName, feature: featureIP,
		set: set{name: unverifiedSet, keyType: ipv4Type, keyLen: addressLen, order: networkOrder},
		chains: []chain{
			{postroutingChain, hookPostrouting, priorityLast, func(e *expressions) {
				e.meta(unix.NFT_META_OIF)
				e.differs(binary.NativeEndian.AppendUint32(nil, loopbackIndex))
				e.network(sourceOffset, addressLen)
			}},
		},
	}
}
