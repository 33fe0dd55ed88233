//go:build linux

package rtnl

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A socket filter sees a notification from its struct nlmsghdr on: the kernel
// puts one message into each. The kernel runs it before the message takes room in
// the receive buffer.
const (
	offType   = 4  // nlmsg_type, 16 bits
	offPID    = 12 // nlmsg_pid, 32 bits
	offFamily = 16 // the first byte of ndmsg, ifinfomsg, ifaddrmsg, rtmsg and netconfmsg alike
	offKind   = 23 // rtm_type of rtmsg, 8 bits

	accept = 1<<32 - 1 // bytes of the message to take: all
)

// BPF loads in network byte order (Documentation/networking/filter.rst), netlink
// has the host's.

func filterUint16(v uint16) uint32 {
	return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v)))
}

func filterUint32(v uint32) uint32 {
	return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, v))
}

// missFilter takes RTM_GETNEIGH of IPv4, the kernel's call for a program to
// resolve (neigh_app_ns).
func missFilter() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: offType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: filterUint16(unix.RTM_GETNEIGH), SkipTrue: 3},
		bpf.LoadAbsolute{Off: offFamily, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_INET, SkipTrue: 1},
		bpf.RetConstant{Val: accept},
		bpf.RetConstant{Val: 0},
	}
}

// changeFilter takes all of IPv4 and of links, except misses, routes that are not
// of this host (see [Routing]) and, for each of the port ids, changes of neighbours
// made by it.
func changeFilter(own []uint32) []bpf.Instruction {
	drop := bpf.RetConstant{Val: 0}
	f := []bpf.Instruction{
		// Links have family AF_UNSPEC; with AF_BRIDGE they are bridge ports.
		bpf.LoadAbsolute{Off: offType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: filterUint16(unix.RTM_NEWLINK), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: filterUint16(unix.RTM_DELLINK), SkipTrue: 4},
		bpf.LoadAbsolute{Off: offFamily, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_UNSPEC, SkipTrue: 1},
		bpf.RetConstant{Val: accept},
		drop,

		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: filterUint16(unix.RTM_GETNEIGH), SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: offFamily, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 1},
		drop,

		bpf.LoadAbsolute{Off: offType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: filterUint16(unix.RTM_NEWROUTE), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: filterUint16(unix.RTM_DELROUTE), SkipTrue: 4},
		bpf.LoadAbsolute{Off: offKind, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.RTN_LOCAL, SkipTrue: 1},
		drop,
		bpf.RetConstant{Val: accept},

		bpf.JumpIf{Cond: bpf.JumpEqual, Val: filterUint16(unix.RTM_NEWNEIGH), SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: filterUint16(unix.RTM_DELNEIGH), SkipTrue: 1},
		bpf.RetConstant{Val: accept},
		bpf.LoadAbsolute{Off: offPID, Size: 4},
	}
	for _, pid := range own {
		f = append(f, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: filterUint32(pid), SkipTrue: 1}, drop)
	}
	return append(f, bpf.RetConstant{Val: accept})
}
