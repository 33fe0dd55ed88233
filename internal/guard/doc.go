// Package guard keeps the kernel from doing what isat does for it, or what isat
// says it must not do yet, and lets it by itself if isat dies or hangs.
//
// It silences the kernel's own ARP on chosen interfaces while isat speaks ARP
// there, by an nftables table of family arp:
//
//	table arp isat {                      # flags owner
//	        set guarded { type ifname; timeout 3s; }
//	        chain input {
//	                type filter hook input priority filter; policy accept;
//	                iifname @guarded counter drop
//	        }
//	        chain output {
//	                type filter hook output priority filter; policy accept;
//	                oifname @guarded counter drop
//	        }
//	}
//
// On an interface whose IP packets isat takes, too, a second table keeps them from
// the kernel, which would act on each of them a second time:
//
//	table ip isat {                       # flags owner
//	        set guarded { type ifname; timeout 3s; }
//	        chain prerouting {
//	                type filter hook prerouting priority raw; policy accept;
//	                iifname @guarded counter drop
//	        }
//	}
//
// A third table keeps the kernel from sending from own addresses of which it is
// not known yet whether they are somebody else's:
//
//	table ip isat_dad {                   # flags owner
//	        set unverified { type ipv4_addr; timeout 3s; }
//	        chain postrouting {
//	                type filter hook postrouting priority 300; policy accept;
//	                oif != "lo" ip saddr @unverified counter drop
//	        }
//	}
//
// It has the address alone and not the interface with it. Linux' addresses belong
// to the machine (RFC 1122 section 3.3.4.2, the weak model): a packet may leave by
// another interface than that of its source address, and who has the address, too,
// would get the answers all the same. It stands after source NAT, which can give
// what is forwarded the address. What leaves by lo is between the machine's own
// programs.
//
// Two things end a guard without a line of isat being run:
//
//   - The table has an owner, the netlink socket that made it. The kernel deletes
//     the table when that socket closes, and the socket closes when the process
//     dies, by SIGKILL too. Nobody else can change, flush or delete the table.
//   - The elements of the set time out after [Timeout]. Whoever proves that the
//     engine makes progress refreshes them; if the process hangs or is stopped, the
//     set is empty after that time.
//
// AF_PACKET sockets see received frames before these hooks and send without
// passing them, so isat's own ARP is not affected. Neither are interfaces that
// are not in the set. A port of a bridge, bond or team is not guarded by its own
// name: the kernel's ARP runs on the master.
//
// The package works on Linux, 5.12 or newer, only.
package guard
