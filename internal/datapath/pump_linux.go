package datapath

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/ip4"
)

// device is the IP side.
type device interface {
	ReadPackets() ([][]byte, error)
	WritePackets([][]byte) error
}

// output is what the pump needs of the host's interface.
type output interface {
	Output(packets [][]byte, failed func(packet []byte, err error))
	NextHop(netip.Addr) (next netip.Addr, gateway bool, err error)
}

var _ output = (*host.Interface)(nil)

// pump carries packets between a device and a host.
type pump struct {
	device    device
	ifc       output
	mtu       int                            // bytes
	queue     *queue                         // to the device
	addresses atomic.Pointer[[]netip.Prefix] // those that are there

	malformed  atomic.Uint64 // packets from the wire that are no IPv4
	fragmented atomic.Uint64 // packets that were divided
	tooLong    atomic.Uint64 // packets that were not, because of DF

	// Of the reader.
	packets [][]byte
	scratch []byte
}

// Deliver takes a packet that came in from the wire, with its padding. It is
// called under the host's lock.
func (p *pump) Deliver(packet []byte) {
	h, err := ip4.Parse(packet)
	if err != nil {
		p.malformed.Add(1)
		return
	}
	p.queue.put(packet[:h.TotalLen])
}

// read carries packets from the device to the host until the device is closed or
// fails.
func (p *pump) read() error {
	failed := p.failed // a method value is an allocation
	for {
		packets, err := p.device.ReadPackets()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		p.ifc.Output(p.fit(packets), failed)
	}
}

// write carries packets from the host to the device until ctx is done or the
// device fails.
func (p *pump) write(ctx context.Context) error {
	var b batch
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.queue.wake:
		}
		err := p.device.WritePackets(p.queue.take(&b))
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fit returns packets that are not longer than the MTU. Most often they all are
// not: the kernel knows the MTU of the device.
func (p *pump) fit(packets [][]byte) [][]byte {
	if !slices.ContainsFunc(packets, p.long) {
		return packets
	}
	p.packets = p.packets[:0]
	for _, packet := range packets {
		if !p.long(packet) {
			p.packets = append(p.packets, packet)
			continue
		}
		var err error
		p.packets, err = ip4.AppendFragments(p.packets, packet, p.mtu)
		switch {
		case err == nil:
			p.fragmented.Add(1)
		case errors.Is(err, ip4.ErrDontFragment):
			p.tooLong.Add(1)
			p.needFragments(packet)
		}
	}
	return p.packets
}

func (p *pump) long(packet []byte) bool { return len(packet) > p.mtu }

// needFragments tells the sender of a packet what MTU the link has (RFC 1191).
func (p *pump) needFragments(packet []byte) {
	h, err := ip4.Parse(packet)
	if err != nil || p.isBroadcast(h.Destination) {
		return
	}
	hop, _, err := p.ifc.NextHop(h.Destination)
	if err != nil || !hop.IsValid() {
		hop = h.Destination
	}
	p.tell(ip4.AppendUnreachable(p.scratch[:0], ip4.FragmentationNeeded, p.mtu, hop, packet))
}

// failed tells the sender of a packet why it was not sent.
func (p *pump) failed(packet []byte, err error) {
	if h, err := ip4.Parse(packet); err != nil || p.isBroadcast(h.Destination) {
		return // RFC 1122 section 3.2.2
	}
	p.tell(appendError(p.scratch[:0], packet, err))
}

func (p *pump) tell(message []byte) {
	if len(message) > 0 {
		p.queue.put(message)
		p.scratch = message
	}
}

// setAddresses says which addresses the device has.
func (p *pump) setAddresses(all []netip.Prefix) { p.addresses.Store(&all) }

// isBroadcast reports whether ip is the broadcast address of a network here.
func (p *pump) isBroadcast(ip netip.Addr) bool {
	addresses := p.addresses.Load()
	return addresses != nil && slices.ContainsFunc(*addresses, func(a netip.Prefix) bool {
		return a.Bits() < 31 && ip == lastAddr(a)
	})
}
