package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// wireCase is a frame that the peer sends to isat, and what is to come of it.
type wireCase struct {
	name   string
	frame  string // a scapy expression
	answer string // a scapy expression; "": none
	learns string // the address that isat has an entry for afterwards, and ASKER's MAC; "": none
	drop   string // the reason for which it is counted as dropped; "": none
	linux  string // why plain Linux treats it otherwise; "": it does not
}

// The frames of the asker, who exists in hand-made frames alone.
const (
	askerIP, askerMAC = "192.0.2.10", "02:00:00:00:00:0a"
	// answered is isat's answer to the asker.
	answered = `arp(dst=ASKER, src=ISAT, op=2, hwsrc=ISAT, psrc="192.0.2.1", hwdst=ASKER, pdst="192.0.2.10")`
)

// playCases plays each case against isat, and against plain Linux as the second
// opinion on who answers. Each is followed by the request of a witness, whose
// answer shows that whatever comes of the case has come, and by arping: a bad
// frame must not keep anybody from being answered.
//
//	isat  192.0.2.1 e0 ──── e0 192.0.2.2 peer    the asker is 192.0.2.10,
//	plain 192.0.2.1 e0 ──── e0 192.0.2.2 peer    the witness 192.0.2.250
func playCases(t *testing.T, cases []wireCase) {
	t.Helper()
	Require(t, "arping")
	var expressions []string
	for _, c := range cases {
		expressions = append(expressions, c.frame)
		if c.answer != "" {
			expressions = append(expressions, c.answer)
		}
	}
	frames := scapy(t, expressions...)
	next := func() (f []byte) { f, frames = frames[0], frames[1:]; return f }

	isat, peer := NewPair(t)
	_, plainPeer := NewPair(t)
	d := StartISAT(t, isat, standard)
	d.Wire("e0").AllowClaims("some cases claim addresses on purpose")
	wire, plainWire := peer.Capture("e0"), plainPeer.Capture("e0")
	for _, c := range cases {
		frame := next()
		var want []byte
		if c.answer != "" {
			want = next()
		}
		t.Run(c.name, func(t *testing.T) {
			before := d.Stats()
			got := exchange(t, wire, frame)
			if want == nil && len(got) > 0 {
				t.Fatalf("isat answered % x, want silence", got[0].Bytes)
			}
			if want != nil {
				if len(got) != 1 {
					t.Fatalf("isat answered %d times, want once", len(got))
				}
				if padded := append(bytes.Clone(want), make([]byte, 60-len(want))...); !bytes.Equal(got[0].Bytes, padded) {
					t.Errorf("isat answered\n% x, want\n% x", got[0].Bytes, padded)
				}
			}
			checkDrops(t, before, d.Stats(), c.drop)
			checkLearned(t, d, c.learns)
			peer.Must("arping", "-q", "-f", "-c", "3", "-w", "10", "-I", "e0", isatIP)

			linux := exchange(t, plainWire, frame)
			same := len(linux) == len(got)
			for i := range min(len(linux), len(got)) {
				same = same && bytes.Equal(linux[i].Bytes, got[i].Bytes[:42])
			}
			if same != (c.linux == "") {
				t.Errorf("plain Linux answers %d times %v, the same is %v, but the case says %q", len(linux), linux, same, c.linux)
			}
		})
	}
	checkStatsTool(t, d)
}

// exchange sends a frame from the peer, if there is one, and returns the ARP frames
// with isat's source address that come before the answer to the witness, who asks
// after it: by then whatever was sent before has been dealt with.
func exchange(t *testing.T, wire *Capture, frame []byte) []Frame {
	t.Helper()
	witness, witnessIP := lladdr.MustParse("02:00:00:00:00:fa"), netip.MustParseAddr("192.0.2.250")
	request := link.Ethernet{}.Append(nil, link.Header{Source: witness, Destination: lladdr.Broadcast(), Type: link.TypeARP}, arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: witness, SenderIP: witnessIP, TargetIP: netip.MustParseAddr(isatIP),
	}.AppendTo(nil))
	mark := wire.Mark()
	if frame != nil {
		wire.Send(frame)
	}
	wire.Send(request)
	answer := wire.Await(mark, "the answer to the witness", func(f Frame) bool { return !f.Out && f.Packet.TargetHW == witness })
	return wire.Since(mark, func(f Frame) bool {
		return !f.Out && f.Header.Source.String() == isatMAC && isARP(f) && !f.Time.After(answer.Time) && f.Packet.TargetHW != witness
	})
}

// checkDrops checks that one packet was counted, for a reason and no other.
func checkDrops(t *testing.T, before, after api.Counters, reason string) {
	t.Helper()
	for name, n := range after.Drops {
		want := before.Drops[name]
		if name == reason {
			want++
		}
		if n != want {
			t.Errorf("drop reason %s counted %d, want %d", name, n-before.Drops[name], want-before.Drops[name])
		}
	}
	if _, ok := after.Drops[reason]; reason != "" && !ok {
		t.Errorf("there is no drop reason %s in %v", reason, after.Drops)
	}
}

// checkLearned checks that isat has an entry for ip, if it is not empty, and for
// nobody else but the peer and the witness, and that the kernel has none: it did
// not ask. It makes isat forget all.
func checkLearned(t *testing.T, d *ISAT, ip string) {
	t.Helper()
	all, err := d.API.Entries(t.Context(), api.EntryFilter{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range all {
		switch {
		case e.IP.String() == ip:
			found = true
			if e.MAC != askerMAC || e.State != api.StateReachable || e.Permanent {
				t.Errorf("isat has %+v, want %s, reachable", e, askerMAC)
			}
		case e.Authority, e.IP.String() == peerIP, e.IP.String() == "192.0.2.250":
		default:
			t.Errorf("isat has learned %+v", e)
		}
	}
	if ip != "" && !found {
		t.Errorf("isat has no entry for %s", ip)
	}
	for _, n := range d.Host.Neighbours("e0") {
		if n.IP != peerIP {
			t.Errorf("the kernel has %+v, for which it did not ask", n)
		}
	}
	if _, err := d.API.DeleteEntries(t.Context(), "e0"); err != nil {
		t.Fatal(err)
	}
}

// checkStatsTool checks that `isat stats --json` shows what the API does.
func checkStatsTool(t *testing.T, d *ISAT) {
	t.Helper()
	r := d.Tool("stats", "--json")
	var got api.Stats
	if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil || r.Code != 0 {
		t.Fatalf("isat stats --json: %v, %+v", err, r)
	}
	if want := d.Stats(); fmt.Sprint(got.Drops) != fmt.Sprint(want.Drops) {
		t.Errorf("isat stats --json has %v, the API %v", got.Drops, want.Drops)
	}
}
