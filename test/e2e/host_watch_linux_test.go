package e2e

import (
	"strings"
	"testing"
)

// TestHostWatch observes: nothing of the host changes and no frame is sent; the
// kernel does its ARP, and isat sees what passes.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostWatch(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	need(t, "arping")
	before := isat.Dump()
	d := StartISAT(t, isat, strings.ReplaceAll(standard, "dad", "datapath = \"observe\"\ndad"))
	isat.SameDump("while isat observes", before)
	wire := d.Wire("e0")

	peer.Must("arping", "-q", "-c", "3", "-w", "5", "-I", "e0", isatIP)
	peer.Must("ping", "-c", "1", isatIP)
	isat.Must("ping", "-c", "1", peerIP)
	for _, sent := range []struct {
		what  string
		match func(Frame) bool
	}{{"request", both(isARP, who(isatIP))}, {"reply", isAt(isatIP)}} {
		frames := wire.Since(0, sent.match)
		t.Logf("%d %s frames", len(frames), sent.what)
		if len(frames) < 3 {
			t.Errorf("%d %s frames passed, want those of arping at the least", len(frames), sent.what)
		}
	}
	if asked, answered := len(wire.Since(0, both(isARP, who(isatIP)))), len(wire.Since(0, isAt(isatIP))); asked != answered {
		t.Errorf("%d requests were answered %d times, want the kernel's answers alone", asked, answered)
	}
	if s := d.Stats(); s.TxRequests != 0 || s.TxReplies != 0 || s.RxRequests == 0 {
		t.Errorf("isat counts %+v", s)
	}
	if e, ok := d.Entry("e0", peerIP); !ok || string(e.MAC) != peerMAC {
		t.Errorf("isat has seen %+v, %v of the peer", e, ok)
	}
	for _, n := range isat.Neighbours("e0") {
		if n.Protocol == "82" {
			t.Errorf("the kernel has an entry of isat: %+v", n)
		}
	}
	// What would send is refused.
	for _, args := range [][]string{{"announce", "e0", isatIP}, {"resolve", "-i", "e0", "192.0.2.77"}} {
		if r := d.Tool(args...); r.Code != 1 {
			t.Errorf("isat %v: %+v", args, r)
		}
	}
	// An address that comes is announced by nobody.
	mark := wire.Mark()
	isat.Must("ip", "addr", "add", "192.0.2.11/24", "dev", "e0")
	await(t, "isat knows the new address", func() bool { e, ok := d.Entry("e0", "192.0.2.11"); return ok && e.Authority })
	isat.Must("ip", "link", "set", "e0", "down")
	isat.Must("ip", "link", "set", "e0", "up")
	isat.AwaitRunning("e0")
	await(t, "isat sees that the link is up", func() bool { return d.Said("isat: e0: link is up") == 1 })
	if sent := wire.Since(mark, sentARP); len(sent) != 0 {
		t.Errorf("isat sends %v", sent[0].Packet)
	}
	isat.Must("ip", "addr", "del", "192.0.2.11/24", "dev", "e0")
	d.Stop()
	isat.SameDump("after isat has observed", before)
}

// TestHostWatchCommand is `isat watch e0` without any configuration.
func TestHostWatchCommand(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	before := isat.Dump()
	p := isat.Start(program(t), "--socket", t.TempDir()+"/sock", "watch", "e0")
	await(t, "isat says that it watches", func() bool { return strings.Contains(p.Output(), "watching e0") })
	peer.Must("ping", "-c", "1", isatIP)
	isat.SameDump("while isat watches", before)
}
