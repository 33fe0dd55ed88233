package datapath

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/ip4"
)

// codes says which ICMP error tells a program which errno (tried, DESIGN section
// 5; icmp_err_convert in the kernel's net/ipv4/icmp.c). EHOSTUNREACH needs two:
// code 1 is no hard error to a UDP socket without IP_RECVERR, code 10 is one.
var codes = []struct {
	errno    syscall.Errno
	protocol uint8 // 0: any other
	code     ip4.Code
}{
	{syscall.EHOSTDOWN, 0, ip4.HostUnknown},
	{syscall.EHOSTUNREACH, ip4.UDP, ip4.HostProhibited},
	{syscall.EHOSTUNREACH, 0, ip4.HostUnreachable},
	{syscall.EINVAL, ip4.UDP, ip4.HostProhibited}, // ARP may not ask on this interface
	{syscall.EINVAL, 0, ip4.HostUnreachable},
	{syscall.ENETUNREACH, 0, ip4.NetUnreachable},
	{syscall.ENETDOWN, 0, ip4.NetUnreachable},
}

// appendError appends the ICMP error that tells the sender of a packet why the
// host did not send it, and returns the extended slice; nothing if there must be
// none, or if the error is one that a network does not tell, such as a full queue.
func appendError(dst, packet []byte, err error) []byte {
	var send *host.SendError
	if !errors.As(err, &send) || !send.Hop.IsValid() || len(packet) < ip4.MinHeader {
		return dst
	}
	for _, c := range codes {
		if errors.Is(err, c.errno) && (c.protocol == 0 || c.protocol == packet[9]) {
			return ip4.AppendUnreachable(dst, c.code, 0, send.Hop, packet)
		}
	}
	return dst
}

// lastAddr returns the address of a network with all host bits set.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}
