package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestHarness shows that the harness sees what it is there to see.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHarness(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	need(t, "ping")
	d := StartISAT(t, isat, standard)
	wire := d.Wire("e0")
	peer.Must("ping", "-c", "1", isatIP)
	request := wire.Await(0, "the request", who(isatIP))
	reply := wire.Await(0, "the reply", isAt(isatIP))
	if request.Out || !reply.Out || reply.Time.Before(request.Time) {
		t.Errorf("request %+v, reply %+v", request, reply)
	}
	rows := tshark(t, []Frame{request, reply}, "arp", []string{"arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4"})
	if got := strings.Join(rows[0], " ") + "; " + strings.Join(rows[1], " "); got != "1 192.0.2.2 192.0.2.1; 2 192.0.2.1 192.0.2.2" {
		t.Errorf("tshark reads %s", got)
	}
	if n, ok := isat.Neighbour("e0", peerIP); ok && n.MAC != peerMAC {
		t.Errorf("the kernel has %+v", n)
	}
	if e, ok := d.Entry("e0", peerIP); !ok || e.MAC != peerMAC {
		t.Errorf("isat has %+v, %v", e, ok)
	}
	if r := d.Tool("status"); r.Code != 0 {
		t.Errorf("isat status: %+v", r)
	}
}

// TestComplaints shows that tshark finds what is wrong with frames, so that its
// silence means something.
func TestComplaints(t *testing.T) {
	t.Parallel()
	need(t, "tshark")
	var frames []Frame
	for _, b := range scapy(t,
		`Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")/ARP(op=2, hwsrc="02:00:00:00:00:01", psrc="192.0.2.1")`,
		`bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")/ARP(op=2))[:30]`,
		`Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:02")/ARP(op=2, hwsrc="02:00:00:00:00:03", psrc="192.0.2.1")`,
	) {
		f := parseFrame(b)
		f.Time = time.Now()
		frames = append(frames, f)
	}
	for _, allow := range []bool{false, true} {
		got := Complaints(t, frames, allow)
		want := 2
		if allow {
			want = 1
		}
		if len(got) != want || &got[0].Frame.Bytes[0] != &frames[1].Bytes[0] {
			t.Errorf("with claims allowed %v: %d complaints %v, want %d, the first of the truncated frame", allow, len(got), got, want)
		}
	}
}
