package host

import (
	"fmt"
	"net/netip"
	"sync"
	"syscall"

	"github.com/isat-project/isat/link"
)

// SendError is why a packet was not sent, or, of a neighbour that does not
// answer, why it may never be.
type SendError struct {
	To      netip.Addr // the destination
	Hop     netip.Addr // the next hop; To where it was not found out
	Gateway bool       // Hop is a gateway
	Err     error      // with the errno, see [Host.Output]
}

// Error implements error.
func (e *SendError) Error() string {
	if e.Gateway && e.Err == error(syscall.EHOSTUNREACH) {
		return fmt.Sprintf("sending to %v: gateway %v does not answer: %v", e.To, e.Hop, e.Err)
	}
	return fmt.Sprintf("sending to %v: %v", e.To, e.Err)
}

// Unwrap returns Err.
func (e *SendError) Unwrap() error { return e.Err }

var batches = sync.Pool{New: func() any { return new(frameBatch) }}

// Output sends IPv4 packets out of this interface, in order: it is [Host.Output]
// for an IP side that has chosen the interface, and gives the port many frames at
// a time. Only routes of this interface count. It does not keep packets.
//
// failed is called for each packet that Host.Output would return an error for; the
// error is a [*SendError]. It must not keep the packet. Frames for which the port
// has no room are counted as TxErrors and otherwise vanish, as those of a full
// device queue do.
func (i *Interface) Output(packets [][]byte, failed func(packet []byte, err error)) {
	h := i.host
	out := h.outlets.Load().get(i.index)
	b := batches.Get().(*frameBatch)
	defer batches.Put(b)
	b.reset()
	var to netip.Addr
	header := link.Header{Type: link.TypeIPv4}
	if out != nil {
		header.Source = out.mac
	}
	known := false
	for _, p := range packets {
		if len(p) < minIPv4Header || p[0]>>4 != 4 {
			failed(p, &SendError{Err: fmt.Errorf("a packet of %d bytes that is not IPv4: %w", len(p), syscall.EINVAL)})
			continue
		}
		if dst := netip.AddrFrom4([4]byte(p[16:20])); dst != to || !known {
			to = dst
			known = i.lookup(to, &header)
		}
		switch {
		case out == nil || !out.up:
			failed(p, &SendError{To: to, Hop: to, Err: syscall.ENETDOWN})
		case known:
			b.buf = out.framing.Append(b.buf, header, p)
			b.ends = append(b.ends, len(b.buf))
		default:
			i.flush(out, b) // the order of packets is kept
			if err := i.outputUnknown(to, p); err != nil {
				failed(p, err)
			}
		}
	}
	i.flush(out, b)
}

// flush sends the frames of a batch and empties it.
func (i *Interface) flush(out *outlet, b *frameBatch) {
	if len(b.ends) == 0 {
		return
	}
	frames := b.slices()
	// Why the rest was not taken does not matter to whoever sends: a frame that is
	// lost is found out by those who talk.
	if n, _ := out.port.WriteFrames(frames); n < len(frames) {
		i.host.countTxErrors(i.index, len(frames)-n)
	}
	clear(b.frames)
	b.reset()
}

// lookup sets the destination of the frames that packets to an address go in, and
// on a Token Ring their route, and reports whether it is known.
func (i *Interface) lookup(to netip.Addr, header *link.Header) (known bool) {
	hop, ok := i.host.routes.NextHopOn(i.index, to)
	if !ok || hop.Network == nil || isGroup(to) {
		return false
	}
	if header.Destination, known = i.host.lookup(hop.Network, hop.Addr); known && i.hasSourceRoutes() {
		header.Route = sourceRoute(hop.Network, hop.Addr)
	}
	return known
}

// outputUnknown sends a packet to an address that lookup does not know.
func (i *Interface) outputUnknown(to netip.Addr, packet []byte) error {
	next, gateway, err := i.NextHop(to)
	switch {
	case err != nil:
		return err
	case !next.IsValid():
		return nil // a blackhole route
	}
	return i.host.outputHeld(i.index, next, to, gateway, packet)
}

// NextHop returns the address that packets to an address are sent to by this
// interface, and whether it is a gateway; the zero Addr if a blackhole route takes
// them. The error is a [*SendError].
func (i *Interface) NextHop(to netip.Addr) (next netip.Addr, gateway bool, err error) {
	if isGroup(to) {
		return to, false, nil
	}
	hop, ok := i.host.routes.NextHopOn(i.index, to)
	if hop, err = i.host.checkHop(to, hop, ok); err != nil {
		return to, false, &SendError{To: to, Hop: to, Err: err}
	}
	if hop.Network == nil {
		return netip.Addr{}, false, nil
	}
	return hop.Addr, hop.Gateway, nil
}
