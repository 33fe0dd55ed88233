package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// node is a host of isat's engine on a segment in memory or a cable. It answers
// pings.
type node struct {
	name   string
	mac    lladdr.Addr // present one
	prefix netip.Prefix
	port   *segment.Port // nil on a cable
	host   *host.Host
	iface  *host.Interface
	events *event.Reader
	inbox  chan []byte // packets for answer
	router atomic.Bool // it forwards what is for others

	mu      sync.Mutex
	pings   uint16 // sent so far; the last one's number
	replies map[uint16]time.Time
}

// nodeInbox is room for the packets that arrive while one is answered.
const nodeInbox = 64

func newNode(name string, mac lladdr.Addr, prefix netip.Prefix, port host.Port, medium link.Framing) (*node, error) {
	n := &node{
		name: name, mac: mac, prefix: prefix, host: host.New(host.Config{}),
		inbox: make(chan []byte, nodeInbox), replies: map[uint16]time.Time{},
	}
	n.events = n.host.Events().Reader(0)
	var err error
	n.iface, err = n.host.Attach(host.InterfaceConfig{
		Name: "eth0", Index: 1, MAC: mac, Port: port, Framing: medium,
		Addresses: []host.Address{{Prefix: prefix}},
		Deliver:   n.deliver,
	})
	if err != nil {
		return nil, fmt.Errorf("attaching %s: %w", name, err)
	}
	return n, nil
}

func (n *node) ip() netip.Addr { return n.prefix.Addr() }

// deliver takes a packet under the lock of the host, which it must not call.
func (n *node) deliver(packet []byte) {
	select {
	case n.inbox <- append([]byte(nil), packet...):
	default: // the queue of a busy host overflows
	}
}

// answer answers pings and notes the replies to its own, until ctx ends.
func (n *node) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case packet := <-n.inbox:
			p, ok := parsePing(packet)
			switch {
			case !ok:
			case !n.owns(p.to):
				if n.router.Load() {
					_ = n.host.Output(packet) // or the sender will see that nothing comes back
				}
			case p.reply:
				n.mu.Lock()
				n.replies[p.seq] = time.Now()
				n.mu.Unlock()
			default:
				// An error means that the asker is gone; it will see that by itself.
				_ = n.host.Output(ping{from: n.ip(), to: p.from, seq: p.seq, reply: true, data: p.data}.packet())
			}
		}
	}
}

// ping sends an echo request and returns its number. The error is of the engine:
// EHOSTDOWN for a host that does not answer to ARP.
func (n *node) ping(to netip.Addr) (uint16, error) { return n.pingWith(to, 0) }

// pingWith is ping with bytes of data in it.
func (n *node) pingWith(to netip.Addr, data int) (uint16, error) {
	n.mu.Lock()
	n.pings++
	seq := n.pings
	n.mu.Unlock()
	return seq, n.host.Output(ping{from: n.ip(), to: to, seq: seq, data: data}.packet())
}

// replied returns when the reply to a ping came, and whether it did.
func (n *node) replied(seq uint16) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.replies[seq]
	return t, ok
}

// pinging pings to at an interval until the function it returns is called, which
// returns how many were sent and how many had no reply.
func (n *node) pinging(ctx context.Context, to netip.Addr, interval time.Duration) (end func() (sent, lost int)) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan []uint16, 1)
	go func() {
		var seqs []uint16
		for ctx.Err() == nil {
			seq, _ := n.ping(to) // lost or not is what counts
			seqs = append(seqs, seq)
			select {
			case <-ctx.Done():
			case <-time.After(interval):
			}
		}
		done <- seqs
	}()
	return sync.OnceValues(func() (sent, lost int) {
		stop()
		seqs := <-done
		time.Sleep(interval) // for the reply under way
		for _, seq := range seqs {
			if _, ok := n.replied(seq); !ok {
				lost++
			}
		}
		return len(seqs), lost
	})
}

// setMAC gives the host another network card, and the segment the news.
func (n *node) setMAC(mac lladdr.Addr) error {
	n.port.SetMAC(mac)
	n.iface.SetMAC(mac)
	n.mac = mac
	return n.iface.Announce()
}

// addAddress gives the host one more address.
func (n *node) addAddress(ip netip.Addr) error {
	return n.add(host.Address{Prefix: netip.PrefixFrom(ip, n.prefix.Bits())})
}

func (n *node) add(a host.Address) error { return n.iface.SetAddresses(append(n.iface.Addresses(), a)) }

// removeAddress takes an address from the host.
func (n *node) removeAddress(ip netip.Addr) error {
	return n.iface.SetAddresses(slices.DeleteFunc(n.iface.Addresses(), func(a host.Address) bool { return a.Prefix.Addr() == ip }))
}

// setCarrier pulls the host's cable out of the segment, or plugs it in again.
func (n *node) setCarrier(on bool) {
	n.port.SetUp(on)
	n.iface.SetRunning(on)
}

// ping is an echo request or reply (RFC 792) in an IPv4 packet (RFC 791).
type ping struct {
	from, to netip.Addr
	seq      uint16
	reply    bool
	data     int // bytes of it
}

// The parts of the two headers used here.
const (
	ipv4HeaderLen = 20
	protocolICMP  = 1
	typeEchoReply = 0
	typeEcho      = 8
	pingLen       = ipv4HeaderLen + 8
)

// packet returns p on the wire. Its checksums are right, for those who read the
// recording; nobody here looks at them.
func (p ping) packet() []byte {
	b := make([]byte, pingLen+p.data)
	b[0] = 4<<4 | ipv4HeaderLen/4
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8] = 64 // time to live
	b[9] = protocolICMP
	copy(b[12:16], p.from.AsSlice())
	copy(b[16:20], p.to.AsSlice())
	b[20] = typeEcho
	if p.reply {
		b[20] = typeEchoReply
	}
	binary.BigEndian.PutUint16(b[26:], p.seq)
	binary.BigEndian.PutUint16(b[10:], ip4.Checksum(b[:ipv4HeaderLen], 0))
	binary.BigEndian.PutUint16(b[22:], ip4.Checksum(b[ipv4HeaderLen:], 0))
	return b
}

// parsePing reads what packet wrote.
func parsePing(b []byte) (ping, bool) {
	if len(b) < pingLen || b[9] != protocolICMP || b[20] != typeEcho && b[20] != typeEchoReply {
		return ping{}, false
	}
	return ping{
		from: netip.AddrFrom4([4]byte(b[12:16])), to: netip.AddrFrom4([4]byte(b[16:20])),
		seq: binary.BigEndian.Uint16(b[26:]), reply: b[20] == typeEchoReply,
		data: max(0, int(binary.BigEndian.Uint16(b[2:]))-pingLen),
	}, true
}
