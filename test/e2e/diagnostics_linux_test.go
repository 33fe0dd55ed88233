package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/api"
)

// diagnosticCase is what a stranger sends and the line that it makes.
type diagnosticCase struct {
	line     string
	severity int    // of syslog
	event    string // its type
	ip       string // that the event is about; "": none
	tunable  string // the switch that holds the line back, but not the event; "": none
	frames   []string
}

// diagnosticCases has every line of arp(4), and of FreeBSD's source where that
// tells more, that a frame can cause (docs/arp4.md).
var diagnosticCases = []diagnosticCase{
	// arp(4), in its order.
	{"arp: 02:00:00:00:00:66 is using my IP address 192.0.2.1 on e0!", 3, "conflict", isatIP, "",
		[]string{`arp(src="02:00:00:00:00:66", hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", pdst="192.0.2.1")`}},
	{"arp: link address is broadcast for IP address 192.0.2.10!", 3, "broadcast_sender", askerIP, "",
		[]string{`arp(dst=ISAT, op=2, hwsrc=ALL)`}},
	{"arp: 192.0.2.11 moved from 02:00:00:00:00:0a to 02:00:00:00:00:0b on e0", 6, "moved", "192.0.2.11", "log_arp_movements",
		[]string{`arp(psrc="192.0.2.11")`, `arp(dst=ISAT, op=2, hwsrc="02:00:00:00:00:0b", psrc="192.0.2.11", hwdst=ISAT)`}},
	{"arp: 198.51.100.9 is on e1 but got reply from 02:00:00:00:00:0a on e0", 3, "wrong_interface", "198.51.100.9", "log_arp_wrong_iface",
		[]string{`arp(dst=ISAT, op=2, hwdst=ISAT, psrc="198.51.100.9")`}},
	{"arp: 02:00:00:00:00:0a attempts to modify permanent entry for 192.0.2.20 on e0", 3, "permanent_modify", "192.0.2.20", "log_arp_permanent_modify",
		[]string{`arp(dst=ISAT, op=2, hwdst=ISAT, psrc="192.0.2.20")`}},

	// The source of FreeBSD 7.
	{"arp: unknown hardware address format (0x0000)", 3, "malformed", "", "",
		[]string{`ether(body(0, 0x0800, 6, 4, 1, "02000000000a", "c000020a", "000000000000", "c0000201"))`}},
	{"arp: unknown hardware address format (0x0007)", 3, "malformed", "", "",
		[]string{`ether(body(7, 0x0800, 6, 4, 1, "02000000000a", "c000020a", "000000000000", "c0000201"))`}},
	{"arp: runt packet", 3, "malformed", "", "",
		[]string{`bytes(arp())[:14+27]`}},
	{"arp from 02:00:00:00:00:00:00:0a: addr len: new 8, i/f 6 (ignored)", 4, "malformed", "", "",
		[]string{`ether(body(1, 0x0800, 8, 4, 1, "020000000000000a", "c000020a", "0000000000000000", "c0000201"))`}},
	{"arplookup 198.51.100.77 failed: host is not on local network", 7, "ignored", "198.51.100.77", "",
		[]string{`arp(psrc="198.51.100.77")`}},

	// Today's, where 7 had none.
	{"arp: packet with short header received on e0", 5, "malformed", "", "",
		[]string{`bytes(arp())[:14+7]`}},
	{"arp: packet with invalid ethernet address length 0 received on e0", 5, "malformed", "", "",
		[]string{`ether(body(1, 0x0800, 0, 4, 1, "", "c000020a", "", "c0000201"))`}},
	{"arp: packet with invalid ethernet address length 21 received on e0", 5, "malformed", "", "",
		[]string{`ether(body(1, 0x0800, 21, 4, 1, "02"*21, "c000020a", "00"*21, "c0000201"))`}},
	{"arp: requested protocol length != 4", 5, "malformed", "", "",
		[]string{`ether(body(1, 0x0800, 6, 16, 1, "02000000000a", "20"*16, "000000000000", "20"*16))`}},
	{"arp: 01:00:5e:00:00:0a is multicast", 5, "broadcast_sender", askerIP, "",
		[]string{`arp(hwsrc="01:00:5e:00:00:0a")`}},
}

// TestDiagnostics: each line on the daemon's standard error and in isat events, to
// the letter, and the event without it when its switch is off.
//
//	peer 192.0.2.2 e0 ──── e0 192.0.2.1 isat 198.51.100.1 e1 ──── e0 198.51.100.2 other
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	var expressions []string
	for _, c := range diagnosticCases {
		expressions = append(expressions, c.frames...)
	}
	frames := scapy(t, expressions...)

	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	n.Veth(isat.End("e1", "02:00:00:00:00:03"), n.Host("other").End("e0", "02:00:00:00:00:04"))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e1")
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	d := StartISAT(t, isat, verbose+"\"net.link.ether.arp.log_level\" = 7\n"+standard+strings.ReplaceAll(standard, "e0", "e1"))
	d.Wire("e0").AllowClaims("some frames claim addresses on purpose")
	set := func(args ...string) {
		t.Helper()
		if r := d.Tool(args...); r.Code != 0 {
			t.Fatalf("isat %v: %+v", args, r)
		}
	}
	set("arp", "-s", "192.0.2.20", "02:00:00:00:00:20")
	set("arp", "-s", "198.51.100.9", "02:00:00:00:00:99")
	events := d.follow(t)
	wire := peer.Capture("e0")

	// once sends the frames and returns the events of the type that they made. The
	// event of the diagnostic is there when the event of the mark is.
	once := func(c diagnosticCase, frames [][]byte) (found []api.Event) {
		t.Helper()
		before := len(events())
		for _, f := range frames {
			exchange(t, wire, f)
		}
		set("announce", "e0", isatIP)
		await(t, "isat events has come to the mark", func() bool {
			return slices.ContainsFunc(events()[before:], func(e api.Event) bool { return e.Type == "announced" })
		})
		for _, e := range events()[before:] {
			if e.Type == c.event {
				found = append(found, e)
			}
		}
		return found
	}
	for _, c := range diagnosticCases {
		caused := frames[:len(c.frames)]
		frames = frames[len(c.frames):]
		t.Run(c.line, func(t *testing.T) {
			found := once(c, caused)
			await(t, "isat says "+c.line, func() bool { return d.Said(c.line) > 0 })
			if n := d.Said(c.line); n != 1 {
				t.Errorf("said %d times, want once", n)
			}
			ip := ""
			if len(found) == 1 && found[0].IP.IsValid() {
				ip = found[0].IP.String()
			}
			if len(found) != 1 || found[0].Message != c.line || found[0].Severity != c.severity || found[0].Interface != "e0" || ip != c.ip {
				t.Errorf("events %+v, want one with the line, of severity %d, about %q", found, c.severity, c.ip)
			}
			if c.tunable == "" {
				return
			}
			set("arp", "-d", "-a", "-i", "e0") // what moved is as before
			set("arp", "-s", "192.0.2.20", "02:00:00:00:00:20")
			set("sysctl", "net.link.ether.inet."+c.tunable+"=0")
			if found := once(c, caused); len(found) != 1 || found[0].Message != "" || d.Said(c.line) != 1 {
				t.Errorf("with %s 0 isat has said it %d times in all, events %+v", c.tunable, d.Said(c.line), found)
			}
		})
	}
	// Of a severity beyond log_level the event alone is left.
	set("sysctl", "net.link.ether.arp.log_level=6")
	exchange(t, wire, scapy(t, `arp(psrc="198.51.100.78")`)[0])
	hidden := "arplookup 198.51.100.78 failed: host is not on local network"
	await(t, "the event of "+hidden, func() bool {
		return slices.ContainsFunc(events(), func(e api.Event) bool { return e.Message == hidden })
	})
	if d.Said(hidden) != 0 {
		t.Errorf("with log_level 6 isat says %s", hidden)
	}
}

// TestDiagnosticsWithoutRoom: an entry that cannot be made is told, whoever wants
// it: a stranger who asks, the kernel, or a program.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer; 192.0.2.77 to 79 are nobody
func TestDiagnosticsWithoutRoom(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+`"net.link.ether.arp.log_level" = 7
"net.link.ether.inet.max_entries" = 1
"net.link.ether.inet.maxtries" = 60
`+standard)
	wire := peer.Capture("e0")
	isat.Start(program(t), "--socket", d.path("sock"), "resolve", "192.0.2.77") // its entry stays as long as it waits
	wire.Await(0, "a request for 192.0.2.77", who("192.0.2.77"))

	exchange(t, wire, scapy(t, `arp()`)[0])
	if r := d.Tool("resolve", "192.0.2.78"); r.Code != 1 || !strings.Contains(r.Stderr, "no buffer space available") {
		t.Errorf("isat resolve: %+v", r)
	}
	isat.Run("ping", "-c", "1", "-W", "1", "192.0.2.79")
	for _, line := range []string{
		"arplookup " + askerIP + " failed: could not allocate llinfo",
		"arpresolve: can't allocate llinfo for 192.0.2.78",
		"arpresolve: can't allocate llinfo for 192.0.2.79",
	} {
		await(t, "isat says "+line, func() bool { return d.Said(line) > 0 })
	}
}

// TestDiagnosticsOfSending: the kernel refuses isat's ARP packets, as a full device
// queue does, and says so to the socket.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestDiagnosticsOfSending(t *testing.T) {
	t.Parallel()
	Require(t, "nft")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+"\"net.link.ether.arp.log_level\" = 7\n"+standard)
	line := fmt.Sprintf("arp: Failed to send ARP packet on e0: %d", int(syscall.ENOBUFS))
	wire := peer.Capture("e0")
	announce := func() {
		t.Helper()
		if r := d.Tool("announce", "e0", isatIP); r.Code != 0 {
			t.Errorf("isat announce: %+v", r)
		}
	}
	announce()
	wire.Await(0, "an announcement", who(isatIP))
	if d.Said(line) != 0 {
		t.Error("isat says it of a packet that was sent")
	}
	isat.Must("nft", "add table netdev full; add chain netdev full out { type filter hook egress device e0 priority 0; policy drop; }")
	announce()
	await(t, "isat says "+line, func() bool { return d.Said(line) > 0 })
}

// TestDiagnosticsOfProxy: the kernel's routes lead to the target by e1, and so do
// those back to who asks on e0, or says so.
//
//	left 192.0.2.10/24 e0 ──── e0 192.0.2.1/25 isat 192.0.2.129/25 e1 ──── e0 192.0.2.200/24 right
func TestDiagnosticsOfProxy(t *testing.T) {
	t.Parallel()
	frames := scapy(t, `arp(psrc="192.0.2.201", pdst="192.0.2.200")`, `arp(psrc="192.0.2.11", pdst="192.0.2.200")`)
	isat, left, _ := proxyNet(t)
	d := StartISAT(t, isat, proxying)
	events := d.follow(t)
	wire := left.Capture("e0")
	if route := isat.Must("ip", "route", "get", "192.0.2.201"); !strings.Contains(route, " dev e1 ") {
		t.Fatalf("the kernel's route back is %s", route)
	}
	line := "arp_proxy: ignoring request from 192.0.2.201 via e0, expecting e1"
	mark := wire.Mark()
	for _, f := range frames {
		wire.Send(f)
	}
	answered := func(ip string) func(Frame) bool {
		return both(isAt("192.0.2.200"), func(f Frame) bool { return f.Packet.TargetIP.String() == ip })
	}
	wire.Await(mark, "the answer to who is on e0", answered("192.0.2.11")) // the last that asked
	if got := wire.Since(mark, answered("192.0.2.201")); len(got) != 0 {
		t.Errorf("it is answered: %v", got[0].Packet)
	}
	await(t, "isat says "+line, func() bool { return d.Said(line) > 0 })
	await(t, "the event of it", func() bool {
		return slices.ContainsFunc(events(), func(e api.Event) bool {
			return e.Type == "proxy_refused" && e.Message == line && e.Severity == 6 && e.Interface == "e0"
		})
	})
	if n := d.Said(line); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}

// TestDiagnosticsOfCable: a Linux host that isat has on e1 is plugged in at e0.
//
//	isat 192.0.2.1 e0 ──── switch a
//	  198.51.100.1 e1 ──── switch b ──── e0 198.51.100.9 peer
func TestDiagnosticsOfCable(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	room := n.Switch("b", isat.End("e1", "02:00:00:00:00:03"), peer.End("e0", peerMAC))
	n.Veth(room.End("isat2", "02:00:00:00:fe:0a"), isat.End("e0", isatMAC))
	room.Must("ip", "link", "add", "bra", "type", "bridge")
	room.Must("ip", "link", "set", "bra", "up")
	room.Must("ip", "link", "set", "isat2", "master", "bra")
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e1")
	peer.Must("ip", "addr", "add", "198.51.100.9/24", "dev", "e0")
	d := StartISAT(t, isat, standard+strings.ReplaceAll(standard, "e0", "e1"))
	if got := peer.arping("198.51.100.1"); got != "02:00:00:00:00:03" {
		t.Fatalf("e1 answers with %q", got)
	}
	line := "arp: 198.51.100.9 is on e1 but got reply from " + peerMAC + " on e0"
	if d.Said(line) != 0 {
		t.Error("isat says it before the cable is moved")
	}
	room.Must("ip", "link", "set", "peer1", "master", "bra")
	await(t, "isat says "+line, func() bool {
		peer.Run("arping", "-q", "-c", "1", "-w", "1", "-I", "e0", "198.51.100.1")
		return d.Said(line) > 0
	})
	if e, ok := d.Entry("e1", "198.51.100.9"); !ok || string(e.MAC) != peerMAC {
		t.Errorf("isat has %+v, %v on e1", e, ok)
	}
}

// follow runs isat events until the end of the test. The function returns what it
// has printed so far, from an event on that the caller has not made.
func (d *ISAT) follow(t *testing.T) func() []api.Event {
	t.Helper()
	p := d.Host.Start(program(t), "--socket", d.path("sock"), "events", "--json")
	events := func() (all []api.Event) {
		for line := range strings.Lines(p.Output()) {
			var e api.Event
			if !strings.HasSuffix(line, "\n") {
				break // the rest is on its way
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(fmt.Errorf("isat events --json says %q: %w", line, err))
			}
			all = append(all, e)
		}
		return all
	}
	await(t, "isat events follows", func() bool {
		d.Tool("announce", "e0", isatIP)
		return len(events()) > 0
	})
	return events
}

// TestDiagnosticsOfWiring: both interfaces of isat are on one Ethernet, and so is
// a Linux host of the network of e1 alone: e0 hears it, too.
//
//	isat 192.0.2.1 e0 ──┐
//	  198.51.100.1 e1 ──┴─ e0 198.51.100.9 peer
func TestDiagnosticsOfWiring(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Switch("switch", isat.End("e0", isatMAC), isat.End("e1", "02:00:00:00:00:03"), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e1")
	peer.Must("ip", "addr", "add", "198.51.100.9/24", "dev", "e0")
	d := StartISAT(t, isat, standard+strings.ReplaceAll(standard, "e0", "e1"))
	for _, ifname := range []string{"e0", "e1"} {
		d.Wire(ifname).AllowClaims("isat answers on both")
	}
	line := "arp: 198.51.100.9 is on e1 but got reply from " + peerMAC + " on e0"
	await(t, "isat says "+line, func() bool {
		peer.Run("arping", "-q", "-c", "1", "-w", "1", "-I", "e0", "198.51.100.1")
		return d.Said(line) > 0
	})
	if e, ok := d.Entry("e1", "198.51.100.9"); !ok || string(e.MAC) != peerMAC {
		t.Errorf("isat has %+v, %v on e1", e, ok)
	}
	if e, ok := d.Entry("e0", "198.51.100.9"); ok {
		t.Errorf("isat has %+v on e0", e)
	}
}
