package ioctlsrv

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// caller is who sent a packet.
type caller struct {
	httpapi.Credentials
	// elsewhere says that it is in another network namespace, whose interfaces
	// and entries are none of ours.
	elsewhere bool
}

// decider answers packets one by one.
type decider struct {
	backend Backend
	rights  func() httpapi.Rights
}

// answer returns the answer to a packet. The table is what is left of that of the
// connection.
func (b *decider) answer(c caller, packet []byte, t *table) ioctl.Answer {
	r, err := ioctl.ParseRequest(packet)
	if err != nil {
		return ioctl.Answer{Errno: errnoOf(err)}
	}
	if c.elsewhere && r.Command != ioctl.Table {
		// Before its rights: it is to learn that its own kernel decides.
		return ioctl.Answer{Errno: syscall.ENXIO}
	}
	// Before anything of the argument: it is none of the business of those who may
	// not (facts/solaris-arp-ipmp.md 1.2).
	may := b.rights().MayRead
	if r.Command.Changes() {
		may = b.rights().MayChange
	}
	if err := may(c.Credentials); err != nil {
		return ioctl.Answer{Errno: syscall.EPERM}
	}
	var arg []byte
	switch {
	case !r.Fits:
		err = syscall.EINVAL
	case r.Command == ioctl.Table:
		if !c.elsewhere {
			arg = t.next(b.backend)
		}
	case len(r.Arg) == 0: // asks for privilege only
	case r.Family != ioctl.AFInet:
		err = syscall.ENXIO
	default:
		arg, err = b.do(r)
	}
	if err != nil {
		return ioctl.Answer{Errno: errnoOf(err)}
	}
	return ioctl.Answer{Arg: arg}
}

// do carries an ioctl out and returns the struct of a GET.
func (b *decider) do(q ioctl.Request) ([]byte, error) {
	read, write := plain, plainAnswer
	if len(q.Arg) == ioctl.XARPReqLen {
		read, write = extended, extendedAnswer
	}
	r, mac, err := read(q.Command, q.Arg)
	if err != nil {
		return nil, err
	}
	if r.ifc, err = b.choose(r); err != nil {
		return nil, err
	}
	if q.Command == ioctl.Whose {
		return nil, nil
	}
	if r.mac, err = mac(r.ifc); err != nil {
		return nil, err
	}
	switch q.Command.Operation() {
	case ioctl.Set:
		return nil, b.set(r)
	case ioctl.Delete:
		return nil, b.remove(r)
	}
	e, err := b.get(r)
	if err != nil {
		return nil, err
	}
	return write(r, e)
}

// set makes or changes an entry. Without a name that of every interface that has
// one, and does ARP, is changed (facts/solaris-arp-ipmp.md 2.2).
func (b *decider) set(r request) error {
	c := host.Change{
		Interface: r.ifc.Name, IP: r.ip, MAC: r.mac, Origin: host.Administrator,
		Temporary: r.flags&ioctl.Permanent == 0, Authority: r.flags&ioctl.Authority != 0,
	}
	if r.flags&ioctl.Published != 0 {
		c.Publish, c.Probe = host.Published, true // facts/solaris-arp-ipmp.md 2.2: duplicate detection first
	}
	if err := b.backend.Set(c); err != nil {
		return ofSet(err)
	}
	if r.name != "" {
		return nil
	}
	for _, e := range b.entries(r) {
		other, ok := b.backend.Interface(e.Interface)
		if e.Interface == r.ifc.Name || e.Publish == host.PublishedOnly || !ok || other.AddrLen != r.mac.Len() {
			continue
		}
		c.Interface = e.Interface
		if err := b.backend.Set(c); err != nil {
			return ofSet(err)
		}
	}
	return nil
}

// entries returns those of an address on the interface that the request names; without
// a name, on all that isat does ARP on.
func (b *decider) entries(r request) []host.Entry {
	return slices.DeleteFunc(b.backend.Entry(r.ip), func(e host.Entry) bool {
		if r.name != "" {
			return e.Interface != r.name
		}
		ifc, ok := b.backend.Interface(e.Interface)
		return !ok || !ifc.ARP
	})
}

// remove deletes the entry: without a name that of every interface; the published-only
// ones if there are no others. With ATF_PUBL, which Linux' arp(8) has for "pub", it has
// to be a published one.
func (b *decider) remove(r request) error {
	entries := b.entries(r)
	isOrdinary := func(e host.Entry) bool { return e.Publish != host.PublishedOnly }
	if r.flags&ioctl.Published != 0 {
		isOrdinary = func(e host.Entry) bool { return e.Publish == host.Published }
	}
	publishedOnly := !slices.ContainsFunc(entries, isOrdinary)
	err := fmt.Errorf("%v: no entry: %w", r.ip, syscall.ENXIO)
	for _, e := range entries {
		if publishedOnly != (e.Publish == host.PublishedOnly) {
			continue
		}
		switch why := b.backend.Delete(e.Interface, r.ip, publishedOnly); {
		case why == nil:
			err = nil
		case !errors.Is(why, syscall.ENXIO): // else somebody was faster
			return own(why)
		}
	}
	return err
}

// get returns the entry of an address, the ordinary one before the published-only
// one.
func (b *decider) get(r request) (host.Entry, error) {
	for _, e := range b.backend.Entry(r.ip) {
		if e.Interface == r.ifc.Name {
			return e, nil
		}
	}
	return host.Entry{}, fmt.Errorf("%v on %s: no entry: %w", r.ip, r.ifc.Name, syscall.ENXIO)
}

// flagsOf returns what GET tells of an entry (facts/solaris-arp-ipmp.md 2.3).
func flagsOf(e host.Entry) ioctl.Flags {
	f := ioctl.InUse
	if known(e) {
		f |= ioctl.Complete
	}
	if e.Expires.IsZero() {
		f |= ioctl.Permanent
	}
	if e.Own || e.Publish != host.Unpublished {
		f |= ioctl.Published
	}
	if e.Authority {
		f |= ioctl.Authority
	}
	return f
}

// known reports whether the link-layer address of an entry is.
func known(e host.Entry) bool { return e.MAC.IsValid() && (e.Own || e.State.Usable()) }

// plainAnswer is the struct arpreq of an entry, with arp_dev and arp_netmask as
// Linux fills them in.
func plainAnswer(r request, e host.Entry) ([]byte, error) {
	a := ioctl.ARPReq{
		Family: ioctl.AFInet, IP: r.ip, Hardware: uint16(r.ifc.Hardware), Flags: flagsOf(e).Linux(),
		Netmask: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
	}
	if known(e) {
		e.MAC.AppendBytes(a.MAC[:0])
	}
	if err := a.SetName(r.ifc.Name); err != nil {
		return nil, err
	}
	return a.AppendTo(nil), nil
}

// extendedAnswer is the struct xarpreq of an entry.
func extendedAnswer(r request, e host.Entry) ([]byte, error) {
	x := ioctl.XARPReq{Family: ioctl.AFInet, IP: r.ip, Flags: flagsOf(e)}
	x.Hardware.Type = mediaType(r.ifc.Hardware)
	if r.ifc.Index <= 0xffff { // what sdl_index has room for; 0 is none
		x.Hardware.Index = uint16(r.ifc.Index)
	}
	mac := e.MAC
	if !known(e) {
		mac = lladdr.Addr{}
	}
	if err := x.Hardware.Fill(r.ifc.Name, mac); err != nil {
		return nil, err
	}
	return x.AppendTo(nil), nil
}

func mediaType(h arp.HardwareType) ioctl.MediaType {
	switch h {
	case arp.IEEE802:
		return ioctl.TokenRing
	case arp.ARCnet:
		return ioctl.ARCnet
	}
	return ioctl.Ethernet
}

// ofSet translates an error of Set to those of arp(7P).
func ofSet(err error) error {
	switch {
	case errors.Is(err, syscall.ENETUNREACH): // no interface has it in a network
		return fmt.Errorf("%w: %w", syscall.ENXIO, err)
	case errors.Is(err, syscall.ENOBUFS):
		return fmt.Errorf("%w: %w", syscall.ENOMEM, err)
	}
	return own(err)
}

// own translates the refusal to change an own address: facts/solaris-arp-ipmp.md
// 1.7 has ENOTSUP, and EPERM for addresses of IPMP groups only.
func own(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: %w", syscall.ENOTSUP, err)
	}
	return err
}

// errnoOf returns the first errno that an error wraps, EIO if there is none.
func errnoOf(err error) syscall.Errno {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return syscall.EIO
}
