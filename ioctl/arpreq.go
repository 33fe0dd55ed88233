package ioctl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
)

// ARPReqLen is the size in bytes of Linux' struct arpreq (linux/if_arp.h), the
// same on every machine.
const ARPReqLen = 68

// IFNAMSIZ is the size of arp_dev, the NUL at its end included (linux/if.h).
const IFNAMSIZ = 16

// Address families, in the numbers of the system that the struct is of.
const (
	AFUnspec = 0  // both
	AFInet   = 2  // both
	AFLink   = 25 // Solaris' sys/socket.h
)

// ARPReq is Linux' struct arpreq. Nothing in it is checked; the zero IP or Netmask
// is written as 0.0.0.0.
//
//	offset  0  arp_pa       family, port, IPv4 address, padding
//	       16  arp_ha       family, 14 bytes of which an address of Ethernet has 6
//	       32  arp_flags    int
//	       36  arp_netmask  as arp_pa
//	       52  arp_dev      name with a NUL, empty for none
type ARPReq struct {
	Family   uint16 // of arp_pa: [AFInet]
	IP       netip.Addr
	Hardware uint16 // of arp_ha: [AFUnspec], or the ARPHRD_ type that Linux has
	MAC      [14]byte
	Flags    uint32 // Linux' bits: [FlagsOfLinux]
	Netmask  netip.Addr
	Dev      [IFNAMSIZ]byte
}

// ParseARPReq reads a struct of native byte order. The error wraps EINVAL if b has
// not [ARPReqLen] bytes; there is no other.
func ParseARPReq(b []byte) (ARPReq, error) {
	if len(b) != ARPReqLen {
		return ARPReq{}, fmt.Errorf("struct arpreq of %d bytes, not %d: %w", len(b), ARPReqLen, syscall.EINVAL)
	}
	return ARPReq{
		Family:   binary.NativeEndian.Uint16(b[0:]),
		IP:       netip.AddrFrom4([4]byte(b[4:])),
		Hardware: binary.NativeEndian.Uint16(b[16:]),
		MAC:      [14]byte(b[18:]),
		Flags:    binary.NativeEndian.Uint32(b[32:]),
		Netmask:  netip.AddrFrom4([4]byte(b[40:])),
		Dev:      [IFNAMSIZ]byte(b[52:]),
	}, nil
}

// AppendTo appends the struct in native byte order.
func (r *ARPReq) AppendTo(dst []byte) []byte {
	var b [ARPReqLen]byte
	binary.NativeEndian.PutUint16(b[0:], r.Family)
	put4(b[4:], r.IP)
	binary.NativeEndian.PutUint16(b[16:], r.Hardware)
	copy(b[18:32], r.MAC[:])
	binary.NativeEndian.PutUint32(b[32:], r.Flags)
	binary.NativeEndian.PutUint16(b[36:], AFInet)
	put4(b[40:], r.Netmask)
	copy(b[52:], r.Dev[:])
	return append(dst, b[:]...)
}

// put4 writes an IPv4 address, or leaves zeros for what is none.
func put4(b []byte, ip netip.Addr) {
	if ip.Is4() {
		four := ip.As4()
		copy(b, four[:])
	}
}

// Name returns arp_dev, "" for none. The error wraps EINVAL if it has no end.
func (r *ARPReq) Name() (string, error) {
	end := bytes.IndexByte(r.Dev[:], 0)
	if end < 0 {
		return "", fmt.Errorf("arp_dev without a NUL: %w", syscall.EINVAL)
	}
	return string(r.Dev[:end]), nil
}

// SetName sets arp_dev. The error wraps EINVAL if it does not fit.
func (r *ARPReq) SetName(name string) error {
	if len(name) >= IFNAMSIZ {
		return fmt.Errorf("interface name %q has %d bytes, arp_dev takes %d: %w", name, len(name), IFNAMSIZ-1, syscall.EINVAL)
	}
	r.Dev = [IFNAMSIZ]byte{}
	copy(r.Dev[:], name)
	return nil
}
