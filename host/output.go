package host

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// minIPv4Header is the length of an IPv4 header without options (RFC 791
// section 3.1).
const minIPv4Header = 20

// outputFrame is room for one frame.
type outputFrame struct {
	buf    []byte
	frames [1][]byte
}

var outputFrames = sync.Pool{New: func() any { return new(outputFrame) }}

// Output sends an IPv4 packet: to its destination or the gateway of its route,
// in a frame of the interface it leaves by. It does not keep packet.
//
// To a neighbour that is known it takes no lock and does not allocate. A packet
// for another is held until the answer comes, as many as maxhold allows, and is
// no error. While maxtries requests have had no answer the packet is held all
// the same and the error wraps EHOSTDOWN, or EHOSTUNREACH for a gateway
// (seeds/002). Other errors: EINVAL for what is no IPv4 packet or where ARP may
// not ask, ENETUNREACH without a route, ENETDOWN while the link is down, ENOBUFS
// while the port has no room or max_entries are in use, what a reject route says
// (see [Route]), and what the port says.
func (h *Host) Output(packet []byte) error {
	if len(packet) < minIPv4Header || packet[0]>>4 != 4 {
		return fmt.Errorf("sending a packet of %d bytes: not IPv4: %w", len(packet), syscall.EINVAL)
	}
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	n, next, ok := h.next(to)
	if ok {
		if mac, ok := h.lookup(n, next); ok {
			return h.outputFrame(n, next, mac, to, packet)
		}
	}
	hop, err := h.nextHop(to)
	switch {
	case err != nil:
		return &SendError{To: to, Hop: to, Err: err}
	case hop.Network == nil:
		return nil // a blackhole route
	}
	return h.outputHeld(hop.Network.Interface, hop.Addr, to, hop.Gateway, packet)
}

// outputFrame sends a packet for to in a frame to the link-layer address of the
// next hop in a network.
func (h *Host) outputFrame(n *route.Network[entry], next netip.Addr, mac lladdr.Addr, to netip.Addr, packet []byte) error {
	out := h.outlets.Load().get(n.Interface)
	if out == nil || !out.up {
		return fmt.Errorf("sending to %v: %w", to, syscall.ENETDOWN)
	}
	f := outputFrames.Get().(*outputFrame)
	defer outputFrames.Put(f)
	header := link.Header{Destination: mac, Source: out.mac, Type: link.TypeIPv4}
	if out.routed {
		header.Route = sourceRoute(n, next)
	}
	f.buf = out.framing.Append(f.buf[:0], header, packet)
	f.frames[0] = f.buf
	sent, err := out.port.WriteFrames(f.frames[:])
	if err == nil && sent == 0 {
		err = syscall.ENOBUFS
	}
	if err != nil {
		h.countTxErrors(out.index, 1)
		return fmt.Errorf("sending to %v: %w", to, err)
	}
	return nil
}

// countTxErrors counts frames that the path without the lock could not send.
func (h *Host) countTxErrors(index, frames int) {
	h.mu.Lock()
	defer h.unlock()
	if ifc := h.byIndex(index); ifc != nil {
		ifc.stats.TxErrors += uint64(frames)
	}
}

// outputHeld is Output to a neighbour that is not known: arpresolve of FreeBSD
// (facts/freebsd-arp.md 2.2).
func (h *Host) outputHeld(index int, next, to netip.Addr, gateway bool, packet []byte) error {
	h.mu.Lock()
	defer h.unlock()
	ifc := h.byIndex(index)
	if owner := h.owner(next); owner != nil {
		return h.outputSelf(owner, packet)
	}
	e, mac, err := h.resolvable(index, next)
	switch {
	case errors.Is(err, errBlackhole):
		return nil
	case err != nil:
		return &SendError{to, next, gateway, hopError(err, gateway)}
	case !ifc.sends():
		return &SendError{to, next, gateway, syscall.ENETDOWN}
	case e == nil:
		h.sendPacket(ifc, mac, packet)
		return nil
	case e.usable():
		h.sendTo(e, packet)
		return nil
	}
	exhausted := e.Exhausted()
	h.handle(time.Now(), e, cache.Input{Kind: cache.Demand, Packet: bytes.Clone(packet)})
	e.markUsed()
	if !exhausted {
		return nil
	}
	return &SendError{to, next, gateway, hopError(syscall.EHOSTDOWN, gateway)}
}

// outputSelf sends to an own address: back to the IP side, or onto the wire
// where useloopback is 0.
func (h *Host) outputSelf(ifc *Interface, packet []byte) error {
	if !ifc.settings.UseLoopback {
		h.sendPacket(ifc, ifc.mac, packet)
		return nil
	}
	if ifc.deliver != nil {
		ifc.deliver(packet)
	}
	return nil
}

// outlet is what Output needs of an interface: an immutable copy, so that it
// needs no lock.
type outlet struct {
	index   int
	up      bool
	mac     lladdr.Addr
	port    Port
	framing link.Framing
	routed  bool // the medium has source routes
}

// outlets are those of all interfaces. They are few: a list is searched faster
// than a map.
type outlets []outlet

func (o *outlets) get(index int) *outlet {
	for i := range *o {
		if (*o)[i].index == index {
			return &(*o)[i]
		}
	}
	return nil
}

// sends reports whether packets may leave by the interface.
func (i *Interface) sends() bool { return i.up && i.mode != Watch }

// publishOutlets makes what Output needs of the interfaces current. It is called
// by whoever changes it.
func (h *Host) publishOutlets() {
	o := make(outlets, 0, len(h.interfaces))
	for _, ifc := range h.interfaces {
		o = append(o, outlet{ifc.index, ifc.sends(), ifc.mac, ifc.port, ifc.framing, ifc.hasSourceRoutes()})
	}
	h.outlets.Store(&o)
}
