package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangTime is in how long the kernel's ARP is back after the daemon hangs: the
// guard's timeout of 3 s and some for the kernel's collection of what timed out.
const hangTime = 4 * time.Second

// TestHostHang stops the daemon with SIGSTOP. The kernel's ARP is back by itself;
// after SIGCONT isat is in charge again, and knows what has happened meanwhile.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2, .3, .4 peer
func TestHostHang(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	for _, ip := range []string{"192.0.2.3", "192.0.2.4"} {
		peer.Must("ip", "addr", "add", ip+"/24", "dev", "e0")
	}
	d := StartISAT(t, isat, standard)
	isat.Must("ping", "-c", "1", "192.0.2.4")
	wire := peer.Capture("e0")

	if err := d.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	mark := wire.Mark()
	var answer Frame
	await(t, "the kernel answers", func() bool {
		wire.Send(request(peerIP, peerMAC, isatIP))
		time.Sleep(20 * time.Millisecond)
		if found := wire.Since(mark, isAt(isatIP)); len(found) > 0 {
			answer = found[0]
		}
		return !answer.Time.IsZero()
	})
	t.Logf("the kernel answers %v after SIGSTOP", answer.Time.Sub(stopped).Round(time.Millisecond))
	if took := answer.Time.Sub(stopped); took > hangTime {
		t.Errorf("the kernel answers after %v, want %v", took, hangTime)
	}
	// The kernel resolves by itself, an administrator sets and deletes, an address
	// comes.
	isat.Must("ping", "-c", "1", "-W", "5", "192.0.2.3")
	isat.Must("ip", "neigh", "add", "192.0.2.50", "lladdr", "02:00:00:00:00:50", "dev", "e0")
	isat.Must("ip", "neigh", "del", "192.0.2.4", "dev", "e0")
	isat.Must("ip", "addr", "add", "192.0.2.11/24", "dev", "e0")

	mark = wire.Mark()
	if err := d.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	await(t, "isat says that it is back", func() bool { return strings.Contains(d.Output(), "taken over again") })
	t.Logf("isat is back %v after SIGCONT", time.Since(resumed).Round(time.Millisecond))
	d.Agree("e0")
	for ip, want := range map[string]string{"192.0.2.3": peerMAC, "192.0.2.50": "02:00:00:00:00:50", "192.0.2.4": ""} {
		if e, _ := d.Entry("e0", ip); string(e.MAC) != want {
			t.Errorf("isat has %q for %s, want %q", e.MAC, ip, want)
		}
	}
	if e, ok := d.Entry("e0", "192.0.2.11"); !ok || !e.Authority {
		t.Errorf("isat has %+v, %v for an own address that came meanwhile", e, ok)
	}
	wire.Await(mark, "the announcement of the new address", func(f Frame) bool { return f.Packet.IsAnnouncement() && f.Packet.SenderIP.String() == "192.0.2.11" })
	isat.Must("ping", "-c", "1", "192.0.2.4")
	if e, ok := d.Entry("e0", "192.0.2.4"); !ok || string(e.MAC) != peerMAC {
		t.Errorf("isat is not asked again: %+v, %v", e, ok)
	}
}
