package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/pcap"
	"github.com/isat-project/isat/lladdr"
)

// mediaName is the scenario that is played on cables, wherever the others are:
// Linux has drivers for Ethernet alone.
const mediaName = "media"

// medium is one of those that isat speaks.
type medium struct {
	name        string
	framing     link.Framing
	linkType    uint32
	isat, alice string // addresses
	frames      int    // that a packet of the MTU takes
	also        func(context.Context, *cableStage, *node) error
}

// media returns them.
func media() []medium {
	const isat, alice = "02:00:00:00:00:01", "02:00:00:00:00:09"
	return []medium{
		{"Ethernet", link.Ethernet{}, pcap.LinkTypeEthernet, isat, alice, 1, nil},
		{"Token Ring", link.TokenRing{}, pcap.LinkTypeIEEE8025, isat, alice, 1, playSourceRoute},
		{"ARCnet", link.ARCnet{}, pcap.LinkTypeARCnet, "01", "09", 3, nil},
	}
}

// playMedia plays on a cable of each medium.
func (o Options) playMedia(ctx context.Context, s outline, story *Story) Result {
	r := Result{Scenario: s.name, About: s.about, On: Cable}
	for _, m := range media() {
		if err := o.playMedium(ctx, story, m); err != nil {
			r.failed(fmt.Errorf("%s: %w", m.name, err))
			if r.Verdict == Skip {
				r.On = ""
			}
			return r
		}
	}
	return r
}

// playMedium plays on a cable of one medium, and records it as
// "media-token-ring.pcap" if recordings are wanted.
func (o Options) playMedium(ctx context.Context, story *Story, m medium) (err error) {
	var out io.Writer
	if o.Pcap != "" {
		f, err := os.Create(filepath.Join(o.Pcap, mediaName+"-"+strings.ReplaceAll(strings.ToLower(m.name), " ", "-")+".pcap"))
		if err != nil {
			return fmt.Errorf("recording: %w", err)
		}
		defer f.Close()
		out = f
	}
	s, err := newCableStage(ctx, story, m, out)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		err = errors.Join(err, s.close())
	}()
	if err := playCable(ctx, s); err != nil {
		return err
	}
	return ctx.Err()
}

// playCable pings where neither end knows the other, and with a packet of the
// MTU.
func playCable(ctx context.Context, s *cableStage) error {
	m := s.medium
	isat, err := s.join(ctx, "isat", lladdr.MustParse(m.isat), netip.MustParsePrefix("192.0.2.1/24"))
	if err != nil {
		return err
	}
	alice, err := s.join(ctx, "alice", lladdr.MustParse(m.alice), netip.MustParsePrefix("192.0.2.9/24"))
	if err != nil {
		return err
	}
	s.Say("%s: isat is %v, alice is %v; isat pings her", m.name, isat.mac, alice.mac)
	begin := s.mark()
	s.expectReply(ctx, isat, alice.ip(), 0)
	asked := s.count(begin, func(f cableFrame) bool {
		return f.packet.Operation == arp.Request && f.header.Source == isat.mac && f.header.Destination == m.framing.Broadcast()
	})
	answered := s.count(begin, func(f cableFrame) bool {
		return f.packet.Operation == arp.Reply && f.packet.SenderHW == alice.mac && f.header.Destination == isat.mac
	})
	s.Expect(asked == 1 && answered == 1, "on the wire: %s, %s", count(asked, "request"), count(answered, "reply"))
	s.expectEntry(isat, alice.ip(), alice.mac, "")

	s.Say("isat pings her with a packet of %d bytes, the MTU", m.framing.MTU())
	begin = s.mark()
	s.expectReply(ctx, isat, alice.ip(), m.framing.MTU()-pingLen)
	frames := s.count(begin, func(cableFrame) bool { return true })
	s.Expect(frames == 2*m.frames, "there and back: %s", count(frames, "frame"))
	if m.also == nil {
		return nil
	}
	return m.also(ctx, s, isat)
}

// playSourceRoute has somebody on another ring talk to isat. Carol and the bridge
// between the rings are this program: engines answer along routes, and do not look
// for them.
func playSourceRoute(ctx context.Context, s *cableStage, isat *node) error {
	mac, ip := lladdr.MustParse("02:00:00:00:00:20"), netip.MustParseAddr("192.0.2.32")
	there, err := link.ParseSourceRoute([]byte{0xc6, 0x10, 0x00, 0x11, 0x00, 0x20}) // spread by bridges; ring 1, bridge 1, ring 2
	if err != nil {
		return err
	}
	back := there.Reply()
	port, err := s.plug(ctx)
	if err != nil {
		return err
	}
	s.listen(port)
	defer port.Close()
	write := func(h link.Header, payload []byte) error {
		h.Source = mac
		_, err := port.WriteFrames([][]byte{s.medium.framing.Append(nil, h, payload)})
		return err
	}
	// expect waits for a frame to carol that comes by the route turned round.
	expect := func(mark int, what string, etherType uint16) {
		so := s.until(ctx, segmentPatience, func() bool {
			return s.count(mark, func(f cableFrame) bool {
				return f.header.Type == etherType && f.header.Destination == mac && f.header.Route == back
			}) > 0
		})
		s.Expect(so, "%s goes by the same route turned round, %v", what, back)
	}

	s.Say("carol, %v, asks for isat from ring 1; bridge 1 passes it on to ring 2", mac)
	mark := s.mark()
	request := announcement(mac, ip)
	request.HardwareType, request.TargetIP = s.medium.framing.HardwareType(), isat.ip()
	request.TargetHW = lladdr.From6([6]byte{})
	if err := write(link.Header{Destination: lladdr.Broadcast(), Type: link.TypeARP, Route: there}, request.AppendTo(nil)); err != nil {
		return err
	}
	expect(mark, "the reply", link.TypeARP)
	s.expectEntry(isat, ip, mac, back.String())

	s.Say("isat pings carol")
	mark = s.mark()
	seq, err := isat.ping(ip)
	if err != nil {
		return err
	}
	expect(mark, "the ping", link.TypeIPv4)
	reply := ping{from: ip, to: isat.ip(), seq: seq, reply: true}
	if err := write(link.Header{Destination: isat.mac, Type: link.TypeIPv4, Route: back.Reply()}, reply.packet()); err != nil {
		return err
	}
	s.Expect(s.until(ctx, segmentPatience, func() bool { _, ok := isat.replied(seq); return ok }), "isat gets her answer")
	return nil
}

// expectReply sends one ping with data and expects its reply.
func (s *cableStage) expectReply(ctx context.Context, from *node, to netip.Addr, data int) {
	begin := time.Now()
	seq, err := from.pingWith(to, data)
	var at time.Time
	so := err == nil && s.until(ctx, segmentPatience, func() (ok bool) { at, ok = from.replied(seq); return ok })
	if !so {
		s.Expect(false, "%s gets an answer from %v: %s", from.name, to, errorText(err))
		return
	}
	s.Expect(true, "%s gets an answer from %v after %s", from.name, to, milliseconds(at.Sub(begin)))
}

// expectEntry expects the entry of an address, and shows it.
func (s *cableStage) expectEntry(n *node, ip netip.Addr, mac lladdr.Addr, route string) {
	all := n.host.Entry(ip)
	so := len(all) == 1 && all[0].MAC == mac && all[0].Route.String() == route
	if !so {
		s.Expect(false, "%s has %v at %v %s: it has %+v", n.name, ip, mac, route, all)
		return
	}
	s.Expect(true, "%s has %s", n.name, strings.TrimSpace(fmt.Sprintf("%v at %v %s", ip, mac, route)))
}
