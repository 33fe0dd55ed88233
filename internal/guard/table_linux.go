//go:build linux

package guard

import "golang.org/x/sys/unix"

// Names of the objects, as `nft list ruleset` shows them.
const (
	tableName       = "isat"
	setName         = "guarded"
	inputChain      = "input"
	outputChain     = "output"
	preroutingChain = "prerouting"
)

// table is what one guard consists of: chains that drop what comes in or goes out
// by the interfaces of the set.
type table struct {
	family  uint8
	name    string // of the family, as nft(8) has it
	feature string // that a kernel without the family lacks
	chains  []chain
}

// chain is a base chain of type filter with its one rule.
type chain struct {
	name     string
	hook     uint32
	priority int32
	meta     uint32 // the interface name that the rule looks at
}

// Values of linux/netfilter_arp.h, linux/netfilter.h and linux/netfilter_ipv4.h.
const (
	hookARPInput   = 0 // NF_ARP_IN
	hookARPOutput  = 1 // NF_ARP_OUT
	hookPrerouting = 0 // NF_INET_PRE_ROUTING

	priorityFilter = 0    // NF_IP_PRI_FILTER
	priorityRaw    = -300 // NF_IP_PRI_RAW: before connection tracking sees the packet
)

// arpTable silences the kernel's ARP.
func arpTable() table {
	return table{
		family: unix.NFPROTO_ARP, name: "arp", feature: featureARP,
		chains: []chain{
			{inputChain, hookARPInput, priorityFilter, unix.NFT_META_IIFNAME},
			{outputChain, hookARPOutput, priorityFilter, unix.NFT_META_OIFNAME},
		},
	}
}

// ipTable keeps IPv4 from the kernel.
func ipTable() table {
	return table{
		family: unix.NFPROTO_IPV4, name: "ip", feature: featureIP,
		chains: []chain{{preroutingChain, hookPrerouting, priorityRaw, unix.NFT_META_IIFNAME}},
	}
}
