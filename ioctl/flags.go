package ioctl

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Flags are the ATF_ flags of arp(7P) (Solaris' net/if_arp.h), those of an
// [XARPReq]. The values to 0x10 are Linux', too; 0x20 and 0x40 mean something else
// in an [ARPReq], see [FlagsOfLinux].
type Flags uint32

// The flags.
const (
	InUse       Flags = 0x01 // GET sets it always; SET ignores it
	Complete    Flags = 0x02 // ATF_COM: the link-layer address is known; SET ignores it
	Permanent   Flags = 0x04 // the entry never ages
	Published   Flags = 0x08 // requests for the address are answered
	UseTrailers Flags = 0x10 // SET ignores it and GET never sets it
	Authority   Flags = 0x20 // the address is ours: never changed by what is on the wire
)

// Bits of Linux' arp_flags that are not those of Solaris (linux/if_arp.h).
const (
	LinuxNetmask = 0x20 // ATF_NETMASK: arp_netmask has a mask; with ATF_PUBL only
	LinuxDontPub = 0x40 // ATF_DONTPUB: do not answer for the address; with ATF_PUBL only
)

// sameInLinux are the flags that have one meaning on both.
const sameInLinux = InUse | Complete | Permanent | Published

// FlagsOfLinux translates arp_flags of Linux' struct arpreq. ATF_NETMASK is for
// entries of a whole network, which isat has rules for and not entries: with any
// mask but that of one address the error wraps EINVAL. ATF_DONTPUB takes ATF_PUBL
// back. Without ATF_PUBL both are EINVAL, as in Linux (net/ipv4/arp.c, arp_ioctl).
// Other bits that Linux does not know are ignored.
func FlagsOfLinux(bits uint32, mask netip.Addr) (Flags, error) {
	f := Flags(bits) & (sameInLinux | UseTrailers)
	switch {
	case f&Published == 0 && bits&(LinuxNetmask|LinuxDontPub) != 0:
		return 0, fmt.Errorf("arp_flags %#x: ATF_NETMASK and ATF_DONTPUB are for ATF_PUBL: %w", bits, syscall.EINVAL)
	case bits&LinuxNetmask != 0 && mask != hostMask:
		return 0, fmt.Errorf("arp_netmask %v: entries are of one address: %w", mask, syscall.EINVAL)
	case bits&LinuxDontPub != 0:
		f &^= Published
	}
	return f, nil
}

// Linux returns f as arp_flags of Linux' struct arpreq. What would mean something
// else there is left out.
func (f Flags) Linux() uint32 { return uint32(f & sameInLinux) }

// hostMask is the network mask of one address.
var hostMask = netip.AddrFrom4([4]byte{255, 255, 255, 255})
