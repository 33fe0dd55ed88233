//go:build linux

package guard_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

// patience is how long a test waits for what must happen. It is long, so that a
// loaded machine does not fail a test.
const patience = 20 * time.Second

// The hosts of the LAN:
//
//	host 192.0.2.1 e0 ───veth─── e0 192.0.2.2 peer
//
// The kernel's ARP on host's e0 is what is guarded.
var (
	hostIP  = netip.MustParseAddr("192.0.2.1")
	peerIP  = netip.MustParseAddr("192.0.2.2")
	hostMAC = lladdr.MustParse("02:00:00:00:00:01")
	peerMAC = lladdr.MustParse("02:00:00:00:00:02")
)

type lan struct {
	host, peer *testns.NS
	hostARP    *socket // AF_PACKET on host's e0, as isat has it
	peerARP    *socket // AF_PACKET on peer's e0
}

// newLAN builds the LAN. The peer's kernel has no address, so all it says is what
// the test says.
func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{host: testns.New(t), peer: testns.New(t)}
	err := l.host.Do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "e0"
		attributes.HardwareAddr = hostMAC.HardwareAddr()
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:        attributes,
			PeerName:         "e0",
			PeerHardwareAddr: peerMAC.HardwareAddr(),
			PeerNamespace:    netlink.NsFd(l.peer.FD()),
		})
		if err != nil {
			return err
		}
		link, err := netlink.LinkByName("e0")
		if err != nil {
			return err
		}
		address := &net.IPNet{IP: hostIP.AsSlice(), Mask: net.CIDRMask(24, 32)}
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: address}); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		t.Fatalf("building host: %v", err)
	}
	err = l.peer.Do(func() error {
		link, err := netlink.LinkByName("e0")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		t.Fatalf("building peer: %v", err)
	}
	l.hostARP = listen(t, l.host)
	l.peerARP = listen(t, l.peer)
	l.ask(t) // the link is up and the kernel answers
	return l
}

// request is the frame by which the peer asks for the host.
func (l *lan) request() []byte {
	return frame(peerMAC, arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: peerMAC, SenderIP: peerIP, TargetHW: lladdr.From6([6]byte{}), TargetIP: hostIP,
	})
}

// ask asks for the host until it answers.
func (l *lan) ask(t *testing.T) {
	t.Helper()
	for start := time.Now(); time.Since(start) < patience; {
		l.peerARP.send(t, l.request())
		for {
			p, ok := l.peerARP.receive(t, 100*time.Millisecond)
			if !ok {
				break
			}
			if p.Operation == arp.Reply && p.SenderIP == hostIP && p.SenderHW == hostMAC {
				l.peerARP.drain(t)
				return
			}
		}
	}
	t.Fatalf("the host's kernel did not answer within %v", patience)
}

// socket is an AF_PACKET socket for ARP frames, both received and sent ones.
type socket struct{ fd, index int }

// listen opens a socket on e0 of a namespace.
func listen(t *testing.T, ns *testns.NS) *socket {
	t.Helper()
	s := &socket{fd: -1}
	err := ns.Do(func() (err error) {
		e0, err := net.InterfaceByName("e0")
		if err != nil {
			return err
		}
		s.index = e0.Index
		protocol := int(htons(unix.ETH_P_ARP))
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		return unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: uint16(protocol), Ifindex: e0.Index})
	})
	if err != nil {
		t.Fatalf("opening a packet socket: %v", err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	return s
}

// send sends a frame.
func (s *socket) send(t *testing.T, b []byte) {
	t.Helper()
	for {
		_, err := unix.Write(s.fd, b)
		switch err {
		case nil:
			return
		case unix.EINTR, unix.ENOBUFS, unix.EAGAIN, unix.ENETDOWN: // the link is coming up
			time.Sleep(time.Millisecond)
		default:
			t.Fatalf("sending a frame: %v", err)
		}
	}
}

// receive returns the next packet that came in, or ok = false if none comes
// within the time. 0 takes what is there.
func (s *socket) receive(t *testing.T, wait time.Duration) (p arp.Packet, ok bool) {
	t.Helper()
	deadline := time.Now().Add(wait)
	buffer := make([]byte, 1600)
	for {
		n, from, err := unix.Recvfrom(s.fd, buffer, 0)
		if err == nil {
			// The socket hears what its own host sends, too.
			if ll, is := from.(*unix.SockaddrLinklayer); is && ll.Pkttype == unix.PACKET_OUTGOING {
				continue
			}
			const ethernetHeader = 14
			p, err := arp.Parse(buffer[ethernetHeader:n])
			if err != nil {
				t.Fatalf("received a bad packet: %v", err)
			}
			return p, true
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			t.Fatalf("receiving a frame: %v", err)
		}
		if !time.Now().Before(deadline) {
			return arp.Packet{}, false
		}
		unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds())+1)
	}
}

// drain throws away what has been received and returns how much that was.
func (s *socket) drain(t *testing.T) (n int) {
	t.Helper()
	for {
		if _, ok := s.receive(t, 0); !ok {
			return n
		}
		n++
	}
}

// frame is a broadcast Ethernet frame with an ARP packet.
func frame(source lladdr.Addr, p arp.Packet) []byte {
	b := lladdr.Broadcast().AppendBytes(nil)
	b = source.AppendBytes(b)
	b = binary.BigEndian.AppendUint16(b, unix.ETH_P_ARP)
	return p.AppendTo(b)
}

func htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
