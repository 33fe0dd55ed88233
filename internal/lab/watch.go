package lab

import (
	"net/netip"
	"strings"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/lladdr"
)

// watch is what a scenario has seen and heard so far. One goroutine uses it.
type watch struct {
	story  *Story
	look   func() ([]probe.Frame, []logLine) // what happened since the last call
	frames []probe.Frame
	said   []logLine
}

// catchUp takes note of what happened since the last call, for the story too.
func (w *watch) catchUp() {
	frames, lines := w.look()
	for _, f := range frames {
		w.story.add(f.Time, Wire, frameText(f))
	}
	for _, l := range lines {
		w.story.add(l.at, Log, l.text)
	}
	w.frames = append(w.frames, frames...)
	w.said = append(w.said, lines...)
}

// seen returns the frames from a moment on that match.
func (w *watch) seen(since time.Time, match func(probe.Frame) bool) (found []probe.Frame) {
	w.catchUp()
	for _, f := range w.frames {
		if f.Err == nil && !f.Time.Before(since) && match(f) {
			found = append(found, f)
		}
	}
	return found
}

// asked returns the requests for target that came from the MAC address from.
func (w *watch) asked(since time.Time, from lladdr.Addr, target netip.Addr) []probe.Frame {
	return w.seen(since, func(f probe.Frame) bool {
		return f.Packet.Operation == arp.Request && f.Packet.TargetIP == target && f.Header.Source == from
	})
}

// answered returns the replies for address that went to the MAC address to.
func (w *watch) answered(since time.Time, address netip.Addr, to lladdr.Addr) []probe.Frame {
	return w.seen(since, func(f probe.Frame) bool {
		return f.Packet.Operation == arp.Reply && f.Packet.SenderIP == address && f.Header.Destination == to
	})
}

// logged counts the diagnostics with a text in them.
func (w *watch) logged(text string) (n int) {
	w.catchUp()
	for _, l := range w.said {
		if strings.Contains(l.text, text) {
			n++
		}
	}
	return n
}

// slackSecond is the least time between two requests that are sent once a second:
// a busy machine is late with one and on time with the next.
const slackSecond = 800 * time.Millisecond

// maxTries is net.link.ether.inet.maxtries as it is by default.
const maxTries = 5

// fewTries is maxtries where errors are waited for: two requests, two seconds.
const fewTries = 2

// logInterval is the time after which a diagnostic is not held back by
// max_log_per_second, 1 by default.
const logInterval = 1200 * time.Millisecond

// framesBefore counts the frames before a moment.
func framesBefore(frames []probe.Frame, t time.Time) (n int) {
	for _, f := range frames {
		if f.Time.Before(t) {
			n++
		}
	}
	return n
}

// gaps returns the shortest and the longest time between two neighbouring frames,
// 0 for fewer than two.
func gaps(frames []probe.Frame) (shortest, longest time.Duration) {
	for i := 1; i < len(frames); i++ {
		d := frames[i].Time.Sub(frames[i-1].Time)
		if i == 1 || d < shortest {
			shortest = d
		}
		longest = max(longest, d)
	}
	return shortest, longest
}

// announcement is what a host says when an address is new to it (RFC 5227 section
// 1.1).
func announcement(mac lladdr.Addr, ip netip.Addr) arp.Packet {
	return arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: mac, SenderIP: ip, TargetIP: ip,
	}
}

// claims are a request for target and a reply in which mac says that address is
// its own.
func claims(mac lladdr.Addr, address, target netip.Addr) []arp.Packet {
	request := announcement(mac, address)
	request.TargetIP = target
	reply := announcement(mac, address)
	reply.Operation, reply.TargetHW = arp.Reply, lladdr.Broadcast()
	return []arp.Packet{request, reply}
}
