package e2e

import (
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// TestArping is arping of iputils in every mode, with isat as the host asked.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2, 192.0.2.3 peer with arping
func TestArping(t *testing.T) {
	t.Parallel()
	Require(t, "arping", "ping")
	isat, peer := NewPair(t)
	peer.Must("ip", "addr", "add", "192.0.2.3/24", "dev", "e0")
	d := StartISAT(t, isat, standard)
	wire := d.Wire("e0")
	const reply = "Unicast reply from 192.0.2.1 [02:00:00:00:00:01]"
	for _, test := range []struct {
		name    string
		args    []string
		code    int
		replies int
		says    string
		check   func(t *testing.T, requests []Frame)
	}{
		{name: "plain", args: []string{"-c", "3", isatIP}, replies: 3, says: "Received 3 response(s)",
			check: func(t *testing.T, requests []Frame) {
				// After the first answer arping asks by unicast.
				if last := requests[len(requests)-1]; last.Header.Destination.String() != isatMAC {
					t.Errorf("arping asked last by a frame to %v", last.Header.Destination)
				}
			}},
		{name: "-b, always broadcast", args: []string{"-b", "-c", "2", isatIP}, replies: 2, says: "Received 2 response(s)",
			check: func(t *testing.T, requests []Frame) {
				for _, f := range requests {
					if !f.Header.Destination.IsBroadcast() {
						t.Errorf("arping asked by a frame to %v", f.Header.Destination)
					}
				}
			}},
		{name: "-f, until the first", args: []string{"-f", "-c", "9", isatIP}, replies: 1, says: "Received 1 response(s)"},
		{name: "-s, another source", args: []string{"-s", "192.0.2.3", "-c", "1", isatIP}, replies: 1, says: "Received 1 response(s)",
			check: func(t *testing.T, requests []Frame) {
				if from := requests[0].Packet.SenderIP.String(); from != "192.0.2.3" {
					t.Errorf("arping asked from %s", from)
				}
			}},
		{name: "-D, an address in use", args: []string{"-D", "-c", "2", "-w", "10", isatIP}, code: 1, replies: 1, says: "Received 1 response(s)",
			check: func(t *testing.T, requests []Frame) {
				if !requests[0].Packet.IsProbe() {
					t.Errorf("arping asked %v", requests[0].Packet)
				}
			}},
		{name: "-D, a free address", args: []string{"-D", "-c", "2", "-w", "3", "192.0.2.77"}, code: 0, says: "Received 0 response(s)"},
		{name: "somebody else", args: []string{"-c", "1", "-w", "2", "192.0.2.77"}, code: 1, says: "Received 0 response(s)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mark := wire.Mark()
			r := peer.Run(append([]string{"arping", "-I", "e0"}, test.args...)...)
			if r.Code != test.code || !strings.Contains(r.Stdout, test.says) || strings.Count(r.Stdout, reply) != test.replies {
				t.Errorf("%+v, want exit status %d, %d replies, %q", r, test.code, test.replies, test.says)
			}
			requests := wire.Since(mark, func(f Frame) bool { return !f.Out && f.Packet.Operation == arp.Request })
			if test.check != nil && len(requests) > 0 {
				test.check(t, requests)
			} else if test.check != nil {
				t.Error("nobody asked")
			}
			if sent := wire.Since(mark, both(sentARP, isAt(isatIP))); len(sent) != test.replies {
				t.Errorf("isat answered %d times, want %d", len(sent), test.replies)
			}
		})
	}
}

// TestUnsolicited is arping -U and -A: an announcement by a request and by a reply
// brings an existing entry up to date, makes none, and is never answered.
func TestUnsolicited(t *testing.T) {
	t.Parallel()
	Require(t, "arping", "ping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	wire := d.Wire("e0")
	wire.AllowClaims("the peer changes its MAC")
	mac := peerMAC
	for i, mode := range []string{"-U", "-A"} {
		mark := wire.Mark()
		peer.Must("arping", mode, "-c", "1", "-I", "e0", peerIP)
		announced := wire.Await(mark, "the announcement", func(f Frame) bool { return !f.Out && f.Packet.IsAnnouncement() })
		if op := announced.Packet.Operation; op != []arp.Operation{arp.Request, arp.Reply}[i] {
			t.Fatalf("arping %s sent %v", mode, announced.Packet)
		}
		exchange(t, peer.Capture("e0"), nil)
		if e, ok := d.Entry("e0", peerIP); ok {
			t.Errorf("arping %s made an entry: %+v", mode, e)
		}

		isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
		awaitKernel(t, isat, peerIP, mac)
		mac = []string{"02:00:00:00:02:02", "02:00:00:00:02:03"}[i]
		peer.Must("ip", "link", "set", "e0", "address", mac)
		mark = wire.Mark()
		peer.Must("arping", mode, "-c", "1", "-I", "e0", peerIP)
		awaitKernel(t, isat, peerIP, mac)
		if e, _ := d.Entry("e0", peerIP); string(e.MAC) != mac {
			t.Errorf("after arping %s isat has %+v, want %s", mode, e, mac)
		}
		if sent := wire.Since(mark, sentARP); len(sent) > 0 {
			t.Errorf("isat answered an announcement: %v", sent[0].Packet)
		}
		isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
		if r := d.Tool("arp", "-d", peerIP); r.Code != 0 {
			t.Errorf("isat arp -d: %+v", r)
		}
	}
}

// TestArpingFromISAT: programs with packet sockets of their own, arping on isat's
// host among them, work beside isat: they get the answers too.
func TestArpingFromISAT(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	out := isat.Must("arping", "-f", "-c", "3", "-w", "10", "-I", "e0", peerIP)
	if !strings.Contains(out, "Unicast reply from 192.0.2.2 [02:00:00:00:00:02]") {
		t.Errorf("arping: %s", out)
	}
	if r := isat.Run("arping", "-D", "-c", "1", "-w", "10", "-I", "e0", peerIP); r.Code != 1 {
		t.Errorf("arping -D: %+v", r)
	}
	if e, ok := d.Entry("e0", peerIP); ok && e.MAC != peerMAC {
		t.Errorf("isat has %+v", e)
	}
}

// TestAnnounce: what isat sends when an address is added, and by `isat announce`,
// is to the byte what scapy makes of an announcement; plain Linux takes it for
// one.
//
//	isat 192.0.2.1, 192.0.2.11 e0 ──── e0 192.0.2.2 peer
func TestAnnounce(t *testing.T) {
	t.Parallel()
	const added = "192.0.2.11"
	isat, peer := NewPair(t)
	want := scapy(t, `arp(src=ISAT, hwsrc=ISAT, psrc="192.0.2.11", hwdst=ZERO, pdst="192.0.2.11")/Padding(bytes(18))`)[0]
	d := StartISAT(t, isat, standard)
	wire := d.Wire("e0")
	announced := func(mark int) {
		t.Helper()
		f := wire.Await(mark, "the announcement", both(sentARP, who(added)))
		if string(f.Bytes) != string(want) {
			t.Errorf("isat announced\n% x, want\n% x", f.Bytes, want)
		}
	}
	peer.Must("ip", "neigh", "replace", added, "lladdr", lladdr.MustParse("02:00:00:00:00:99").String(), "nud", "stale", "dev", "e0")
	mark := wire.Mark()
	isat.Must("ip", "addr", "add", added+"/24", "dev", "e0")
	announced(mark)
	awaitKernel(t, peer, added, isatMAC)

	mark = wire.Mark()
	if r := d.Tool("announce", "e0", added); r.Code != 0 {
		t.Errorf("isat announce: %+v", r)
	}
	announced(mark)
	mark = wire.Mark()
	if r := d.Tool("announce", "e0", "192.0.2.77"); r.Code != 1 {
		t.Errorf("isat announce of another's address: %+v", r)
	}
	exchange(t, peer.Capture("e0"), nil)
	if sent := wire.Since(mark, both(sentARP, who("192.0.2.77"))); len(sent) > 0 {
		t.Errorf("isat announced another's address: %v", sent[0].Packet)
	}
}
