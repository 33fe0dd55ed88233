package datapath

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/link/cable"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/link/tap"
	"github.com/isat-project/isat/lladdr"
)

// The kinds of port: what stands before the colon (INTERFACES section 2).
const (
	kindPacket = "packet"
	kindTAP    = "tap"
	kindCable  = "cable"
)

// Guard keeps the kernel out of the interface of a packet port.
type Guard interface {
	// CheckPort returns an interface that may be a port, or why it may not.
	CheckPort(name string) (rtnl.Link, error)
	// HoldPort is CheckPort, and keeps the kernel out until ReleasePort.
	HoldPort(name string) (rtnl.Link, error)
	ReleasePort(name string) error
}

// port is the link side of a host.
type port struct {
	host.Port
	mac  lladdr.Addr
	held string // the interface of a packet port
	link int    // its index
	up   bool   // frames can be sent
}

// paced is a port that is read only while the queue to the device has room.
type paced struct {
	host.Port
	queue *queue
}

// ReadFrames implements [host.Port].
func (p *paced) ReadFrames(frames [][]byte) (int, error) {
	p.queue.await()
	return p.Port.ReadFrames(frames)
}

// Close implements [host.Port].
func (p *paced) Close() error {
	p.queue.close()
	return p.Port.Close()
}

// packetStats returns the counters of a packet port, zero of another.
func (p *port) packetStats() packet.Stats {
	if c, ok := p.Port.(*packet.Conn); ok {
		return c.Stats()
	}
	return packet.Stats{}
}

// check says why the port of s cannot be opened, as far as that is known without
// doing it.
func (s *Spec) check(g Guard) error {
	kind, name, _ := strings.Cut(s.Port, ":")
	if kind != kindCable && s.Framing != (link.Ethernet{}) {
		return fmt.Errorf("port %s: Linux has Ethernet only; another medium needs a cable: %w", s.Port, syscall.EINVAL)
	}
	if s.MTU > s.Framing.MaxMTU() {
		return fmt.Errorf("an MTU of %d is more than the %d of the medium: %w", s.MTU, s.Framing.MaxMTU(), syscall.EMSGSIZE)
	}
	if kind != kindPacket {
		if !s.MAC.IsValid() {
			return fmt.Errorf("port %s: it has no address of its own, so mac is needed: %w", s.Port, syscall.EINVAL)
		}
		return nil
	}
	l, err := g.CheckPort(name)
	if err != nil {
		return err
	}
	return s.checkMTU(l)
}

func (s *Spec) checkMTU(l rtnl.Link) error {
	if s.MTU > l.MTU {
		return fmt.Errorf("port %s: its MTU is %d, less than the %d of %s; set mtu = %d: %w", s.Port, l.MTU, s.MTU, s.Name, l.MTU, syscall.EMSGSIZE)
	}
	return nil
}

// openPort opens the port of s.
func openPort(s Spec, g Guard) (*port, error) {
	kind, name, _ := strings.Cut(s.Port, ":")
	p := &port{mac: s.MAC, up: true}
	var err error
	switch kind {
	case kindTAP:
		p.Port, err = tap.Open(name)
	case kindCable:
		p.Port, err = dialCable(s, name)
	default:
		return openPacket(s, name, g)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// errNoHub is a cable whose hub does not run.
var errNoHub = errors.New("the cable's hub does not run; start it with \"isat cable\"")

func dialCable(s Spec, path string) (host.Port, error) {
	p, err := cable.Dial(path)
	switch {
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: %w", errNoHub, err)
	case err != nil:
		return nil, err
	case s.Framing == link.ARCnet{}:
		return arcnet.NewPort(p, s.MTU), nil
	}
	return p, nil
}

// openPacket opens a packet port, with the kernel kept out of its interface before
// the first frame is read.
func openPacket(s Spec, name string, g Guard) (*port, error) {
	l, err := g.HoldPort(name)
	if err != nil {
		return nil, err
	}
	p := &port{mac: s.MAC, held: name, link: l.Index, up: l.Up()}
	o := packet.Options{IP: true}
	if p.mac.IsValid() && p.mac != l.MAC {
		o.Station = p.mac
	} else {
		p.mac = l.MAC
	}
	err = s.checkMTU(l)
	if err == nil {
		p.Port, err = packet.Listen(l.Index, o)
	}
	if err != nil {
		if release := g.ReleasePort(name); release != nil {
			err = fmt.Errorf("%w; and %w", err, release)
		}
		return nil, err
	}
	return p, nil
}
