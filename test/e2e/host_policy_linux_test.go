package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/api"
)

// TestHostARPIgnore asks for every kind of own address, at first the kernel and
// then isat, under every value of arp_ignore: a takeover changes nothing that a
// peer can reach.
//
//	198.51.100.1 e1 isat e0 192.0.2.1/24, 203.0.113.1/24 ──── e0 peer
//	192.0.2.40/32 and 192.0.2.41/32 (scope host) lo
func TestHostARPIgnore(t *testing.T) {
	t.Parallel()
	for _, value := range []int{0, 1, 2, 3, 8} {
		t.Run(fmt.Sprint(value), func(t *testing.T) {
			t.Parallel()
			isat, peer := policyNet(t)
			isat.Sysctl("net.ipv4.conf.e0.arp_ignore", value)
			wire := peer.Capture("e0")
			want := answers(t, wire, nil)
			if (len(want) > 0) != (value != 8) {
				t.Fatalf("the kernel answers for %v", want)
			}
			d := StartISAT(t, isat, standard)
			d.Wire("e0").AllowClaims("every question has a MAC of its own")
			if got := answers(t, wire, d); !slices.Equal(got, want) {
				t.Errorf("isat answers for\n%v\nthe kernel for\n%v", got, want)
			}
		})
	}
}

// policyNet makes the network of TestHostARPIgnore.
func policyNet(t *testing.T) (isat, peer *Host) {
	t.Helper()
	isat, peer = NewPair(t)
	isat.Must("ip", "addr", "add", "203.0.113.1/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "192.0.2.40/32", "dev", "lo")
	isat.Must("ip", "addr", "add", "192.0.2.41/32", "dev", "lo", "scope", "host")
	isat.Must("ip", "link", "add", "e1", "type", "veth", "peer", "name", "e2")
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e1")
	isat.Must("ip", "link", "set", "e1", "up")
	return isat, peer
}

// questions are a sender and a target each.
var questions = [][2]string{
	{peerIP, isatIP},               // own, same subnet
	{"203.0.113.9", isatIP},        // own, of another subnet
	{peerIP, "203.0.113.1"},        // the other own
	{"203.0.113.9", "203.0.113.1"}, //
	{peerIP, "198.51.100.1"},       // of e1
	{peerIP, "192.0.2.40"},         // of lo
	{peerIP, "192.0.2.41"},         // of lo, scope host
	{peerIP, "127.0.0.1"},          // never
	{peerIP, "192.0.2.77"},         // nobody's
	{"0.0.0.0", isatIP},            // a probe
	{"0.0.0.0", "192.0.2.40"},      //
}

// answers asks the questions and returns those that were answered. d is who
// answers, nil for the kernel.
func answers(t *testing.T, wire *Capture, d *ISAT) []string {
	t.Helper()
	var got []string
	for i, q := range questions {
		// Each question has a MAC of its own, which its answer is sent to.
		mac := fmt.Sprintf("02:00:00:00:aa:%02x", i)
		isAnswer := both(isAt(q[1]), func(f Frame) bool { return f.Header.Destination.String() == mac })
		mark := wire.Mark()
		if d == nil {
			wire.Send(request(q[0], mac, q[1]))
			time.Sleep(200 * time.Millisecond) // the kernel answers before the frame is sent, or its softirq daemon does
		} else {
			before := d.Stats()
			wire.Send(request(q[0], mac, q[1]))
			// One after the other: when this is received, isat is done with that.
			wire.Send(request(peerIP, peerMAC, "192.0.2.78"))
			var after api.Counters
			await(t, "isat has seen the question", func() bool {
				after = d.Stats()
				return after.RxRequests >= before.RxRequests+2
			})
			if after.TxReplies > before.TxReplies {
				wire.Await(mark, "an answer", isAnswer)
			}
		}
		if len(wire.Since(mark, isAnswer)) > 0 {
			got = append(got, fmt.Sprintf("%s to %s", q[1], q[0]))
		}
	}
	return got
}

// confTime is in how long isat follows a setting of the kernel of which there is
// no notification.
const confTime = 6 * time.Second

// TestHostARPIgnoreLater changes arp_ignore while isat runs.
func TestHostARPIgnoreLater(t *testing.T) {
	t.Parallel()
	isat, peer := policyNet(t)
	d := StartISAT(t, isat, standard)
	wire := peer.Capture("e0")
	isat.Sysctl("net.ipv4.conf.e0.arp_ignore", 1)
	began := time.Now()
	await(t, "isat no longer answers for an address of lo", func() bool {
		mark := wire.Mark()
		wire.Send(request(peerIP, peerMAC, "192.0.2.40"))
		wire.Send(request(peerIP, peerMAC, isatIP))
		wire.Await(mark, "the answer for its own", isAt(isatIP))
		return len(wire.Since(mark, isAt("192.0.2.40"))) == 0
	})
	took := time.Since(began)
	t.Logf("isat follows arp_ignore after %v", took.Round(time.Millisecond))
	if took > confTime+patience/2 {
		t.Errorf("isat follows arp_ignore after %v, want %v", took, confTime)
	}
	// What it cannot honour it says.
	isat.Sysctl("net.ipv4.conf.e0.arp_filter", 1)
	await(t, "isat warns of arp_filter", func() bool {
		s, err := d.API.Status(t.Context())
		return err == nil && len(s.Interfaces) == 1 && len(s.Interfaces[0].Warnings) == 1
	})
	isat.Sysctl("net.ipv4.conf.e0.arp_filter", 0)
	await(t, "isat warns no longer", func() bool {
		s, err := d.API.Status(t.Context())
		return err == nil && len(s.Interfaces) == 1 && len(s.Interfaces[0].Warnings) == 0
	})
}

// TestHostDropGratuitous sets drop_gratuitous_arp: announcements of others change
// nothing, as in the kernel.
func TestHostDropGratuitous(t *testing.T) {
	t.Parallel()
	for _, drop := range []int{0, 1} {
		t.Run(fmt.Sprint(drop), func(t *testing.T) {
			t.Parallel()
			isat, peer := NewPair(t)
			isat.Sysctl("net.ipv4.conf.e0.drop_gratuitous_arp", drop)
			d := StartISAT(t, isat, standard)
			isat.Must("ping", "-c", "1", peerIP)
			d.Wire("e0").AllowClaims("the peer's address moves")
			wire := peer.Capture("e0")
			received := d.Stats().RxRequests
			wire.Send(request(peerIP, "02:00:00:00:00:99", peerIP)) // an announcement
			await(t, "isat has seen the announcement", func() bool { return d.Stats().RxRequests > received })
			want := peerMAC
			if drop == 0 {
				want = "02:00:00:00:00:99"
			}
			if e, _ := d.Entry("e0", peerIP); string(e.MAC) != want {
				t.Errorf("isat has %s, want %s", e.MAC, want)
			}
		})
	}
}
