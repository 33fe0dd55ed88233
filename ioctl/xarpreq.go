package ioctl

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/lladdr"
)

// Sizes in bytes of Solaris' structs (net/if_arp.h, net/if_dl.h), the same on
// every machine.
const (
	XARPReqLen    = 512
	SockaddrDLLen = 252
	storageLen    = 256 // sockaddr_storage, which is 128 on Linux
	dataLen       = 244 // sdl_data: name and address together
)

// LIFNAMSIZ is one more than the longest name of an interface in a [SockaddrDL]
// (Solaris' net/if.h).
const LIFNAMSIZ = 32

// MediaType is sdl_type: the kind of medium (Solaris' net/if_types.h).
type MediaType uint8

// The media that isat knows.
const (
	Ethernet  MediaType = 0x06 // IFT_ETHER
	TokenRing MediaType = 0x09 // IFT_ISO88025
	ARCnet    MediaType = 0x23 // IFT_ARCNET
)

// SockaddrDL is Solaris' struct sockaddr_dl: a name and a link-layer address, one
// behind the other. Nothing in it is checked.
//
//	offset 0  sdl_family  AF_LINK
//	       2  sdl_index   of the interface, 0 for none
//	       4  sdl_type    medium
//	       5  sdl_nlen    length of the name, which has no NUL
//	       6  sdl_alen    length of the address
//	       7  sdl_slen    0
//	       8  sdl_data    name, address: LLADDR is sdl_data + sdl_nlen
type SockaddrDL struct {
	Family  uint16
	Index   uint16
	Type    MediaType
	NameLen uint8
	AddrLen uint8
	SelLen  uint8
	Data    [dataLen]byte
}

// Name returns the name, "" for none. The error wraps EINVAL if it has [LIFNAMSIZ]
// bytes or more.
func (s *SockaddrDL) Name() (string, error) {
	if s.NameLen >= LIFNAMSIZ {
		return "", fmt.Errorf("sdl_nlen is %d, a name has less than %d bytes: %w", s.NameLen, LIFNAMSIZ, syscall.EINVAL)
	}
	return string(s.Data[:s.NameLen]), nil
}

// Addr returns the link-layer address, the zero Addr for none. The error wraps
// EINVAL if it reaches beyond sdl_data or is longer than [lladdr.MaxLen].
func (s *SockaddrDL) Addr() (lladdr.Addr, error) {
	begin, end := int(s.NameLen), int(s.NameLen)+int(s.AddrLen)
	if end > dataLen {
		return lladdr.Addr{}, fmt.Errorf("sdl_nlen %d and sdl_alen %d exceed %d: %w", s.NameLen, s.AddrLen, dataLen, syscall.EINVAL)
	}
	a, ok := lladdr.FromSlice(s.Data[begin:end])
	if !ok {
		return a, fmt.Errorf("sdl_alen is %d, no medium has more than %d: %w", s.AddrLen, lladdr.MaxLen, syscall.EINVAL)
	}
	return a, nil
}

// Fill sets name and address and the family. The error wraps EINVAL if the name is
// too long.
func (s *SockaddrDL) Fill(name string, addr lladdr.Addr) error {
	if len(name) >= LIFNAMSIZ {
		return fmt.Errorf("interface name %q has %d bytes, sdl_data takes %d: %w", name, len(name), LIFNAMSIZ-1, syscall.EINVAL)
	}
	s.Family, s.NameLen, s.AddrLen, s.SelLen = AFLink, uint8(len(name)), uint8(addr.Len()), 0
	s.Data = [dataLen]byte{}
	addr.AppendBytes(append(s.Data[:0], name...))
	return nil
}

// XARPReq is Solaris' struct xarpreq. Nothing in it is checked; the zero IP is
// written as 0.0.0.0.
//
//	offset   0  xarp_pa     family, port, IPv4 address, padding: a sockaddr_storage
//	       256  xarp_ha     a [SockaddrDL]
//	       508  xarp_flags  int
type XARPReq struct {
	Family   uint16 // of xarp_pa: [AFInet]
	IP       netip.Addr
	Hardware SockaddrDL
	Flags    Flags
}

// ParseXARPReq reads a struct of native byte order. The error wraps EINVAL if b
// has not [XARPReqLen] bytes; there is no other.
func ParseXARPReq(b []byte) (XARPReq, error) {
	if len(b) != XARPReqLen {
		return XARPReq{}, fmt.Errorf("struct xarpreq of %d bytes, not %d: %w", len(b), XARPReqLen, syscall.EINVAL)
	}
	dl := b[storageLen:]
	return XARPReq{
		Family: binary.NativeEndian.Uint16(b[0:]),
		IP:     netip.AddrFrom4([4]byte(b[4:])),
		Hardware: SockaddrDL{
			Family:  binary.NativeEndian.Uint16(dl[0:]),
			Index:   binary.NativeEndian.Uint16(dl[2:]),
			Type:    MediaType(dl[4]),
			NameLen: dl[5],
			AddrLen: dl[6],
			SelLen:  dl[7],
			Data:    [dataLen]byte(dl[8:]),
		},
		Flags: Flags(binary.NativeEndian.Uint32(b[storageLen+SockaddrDLLen:])),
	}, nil
}

// AppendTo appends the struct in native byte order.
func (r *XARPReq) AppendTo(dst []byte) []byte {
	var b [XARPReqLen]byte
	binary.NativeEndian.PutUint16(b[0:], r.Family)
	put4(b[4:], r.IP)
	h, dl := &r.Hardware, b[storageLen:]
	binary.NativeEndian.PutUint16(dl[0:], h.Family)
	binary.NativeEndian.PutUint16(dl[2:], h.Index)
	dl[4], dl[5], dl[6], dl[7] = uint8(h.Type), h.NameLen, h.AddrLen, h.SelLen
	copy(dl[8:], h.Data[:])
	binary.NativeEndian.PutUint32(b[storageLen+SockaddrDLLen:], uint32(r.Flags))
	return append(dst, b[:]...)
}
