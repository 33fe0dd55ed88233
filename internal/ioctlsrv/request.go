package ioctlsrv

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// request is what the structs of both forms come to.
type request struct {
	command ioctl.Command
	ip      netip.Addr
	name    string // of the interface, "" for none given
	mac     lladdr.Addr
	flags   ioctl.Flags
	ifc     Interface // as selected
}

// plainLen is the length of the addresses that struct arpreq has room for by the
// manual: the plain three are for Ethernet and Token Ring.
const plainLen = 6

// addressFor returns the link-layer address of a request, which depends on the
// interface: EINVAL if it is of another length.
type addressFor func(Interface) (lladdr.Addr, error)

// plain reads a struct arpreq.
func plain(cmd ioctl.Command, arg []byte) (r request, mac addressFor, err error) {
	a, err := ioctl.ParseARPReq(arg)
	if err != nil {
		return r, nil, err
	}
	if a.Family != ioctl.AFInet {
		return r, nil, fmt.Errorf("arp_pa of family %d: %w", a.Family, syscall.ENXIO)
	}
	r = request{command: cmd, ip: a.IP}
	if r.name, err = a.Name(); err != nil {
		return r, nil, err
	}
	if cmd.Operation() == ioctl.Set {
		r.flags, err = ioctl.FlagsOfLinux(a.Flags, a.Netmask)
	} else {
		r.flags = ioctl.Flags(a.Flags) & ioctl.Published
	}
	return r, func(ifc Interface) (lladdr.Addr, error) {
		switch {
		case cmd.Operation() == ioctl.Delete:
			return lladdr.Addr{}, nil
		case ifc.AddrLen != plainLen:
			return lladdr.Addr{}, fmt.Errorf("addresses of %s have %d bytes, struct arpreq has %d: %w", ifc.Name, ifc.AddrLen, plainLen, syscall.EINVAL)
		case cmd.Operation() == ioctl.Set && a.Hardware != ioctl.AFUnspec && arp.HardwareType(a.Hardware) != ifc.Hardware:
			// arp(7P) says AF_UNSPEC, Linux the type of the hardware.
			return lladdr.Addr{}, fmt.Errorf("arp_ha of family %d, %s has %d: %w", a.Hardware, ifc.Name, ifc.Hardware, syscall.EINVAL)
		}
		return lladdr.From6([plainLen]byte(a.MAC[:plainLen])), nil
	}, err
}

// extended reads a struct xarpreq, like plain.
func extended(cmd ioctl.Command, arg []byte) (r request, mac addressFor, err error) {
	x, err := ioctl.ParseXARPReq(arg)
	if err != nil {
		return r, nil, err
	}
	dl := &x.Hardware
	switch {
	case x.Family != ioctl.AFInet:
		return r, nil, fmt.Errorf("xarp_pa of family %d: %w", x.Family, syscall.ENXIO)
	case dl.Family != ioctl.AFLink && dl.Family != ioctl.AFUnspec:
		// The manual has it zero, Solaris' code AF_LINK: both are taken.
		return r, nil, fmt.Errorf("xarp_ha of family %d: %w", dl.Family, syscall.ENXIO)
	}
	r = request{command: cmd, ip: x.IP, flags: x.Flags}
	if r.name, err = dl.Name(); err != nil {
		return r, nil, err
	}
	return r, func(ifc Interface) (lladdr.Addr, error) {
		if cmd.Operation() != ioctl.Set {
			return lladdr.Addr{}, nil // sdl_alen is ignored
		}
		mac, err := dl.Addr()
		if err == nil && mac.Len() != ifc.AddrLen {
			err = fmt.Errorf("sdl_alen is %d, addresses of %s have %d bytes: %w", dl.AddrLen, ifc.Name, ifc.AddrLen, syscall.EINVAL)
		}
		return mac, err
	}, nil
}

// choose returns the interface of a request (facts/solaris-arp-ipmp.md 2.1 step
// 4): the one named, that with the address as its own, that with its network, or
// one that has an entry of it already. The error wraps ENXIO.
func (b *decider) choose(r request) (Interface, error) {
	name, ok := r.name, r.name != "" && !strings.Contains(r.name, ":") // bge0:1 is logical
	if r.name == "" {
		name, ok = b.byAddress(r.ip)
	}
	if !ok {
		return Interface{}, fmt.Errorf("%v: no interface %s for it: %w", r.ip, r.name, syscall.ENXIO)
	}
	ifc, ok := b.backend.Interface(name)
	if !ok || !ifc.ARP {
		return Interface{}, fmt.Errorf("%v: %s does no ARP here: %w", r.ip, name, syscall.ENXIO)
	}
	return ifc, nil
}

func (b *decider) byAddress(ip netip.Addr) (name string, ok bool) {
	entries := b.backend.Entry(ip)
	for _, e := range entries {
		if e.Own {
			return e.Interface, true
		}
	}
	if name, ok := b.backend.Connected(ip); ok {
		return name, true
	}
	if len(entries) > 0 {
		return entries[0].Interface, true
	}
	return "", false
}
