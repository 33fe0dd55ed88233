package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/arp"
)

// TestProbe asks whether addresses are free, of a kernel that has some of them.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2, 198.51.100.2 peer
func TestProbe(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, peer := NewPair(t)
	peer.Must("ip", "addr", "add", "198.51.100.2/32", "dev", "e0")
	d := StartISAT(t, isat, standard)
	wire := d.Wire("e0")
	if r := d.Tool("arp", "-s", "192.0.2.60", "auto", "pub"); r.Code != 0 {
		t.Fatalf("publishing: %+v", r)
	}

	t.Run("taken", func(t *testing.T) {
		r := d.Tool("probe", "--fast", "e0", peerIP, "198.51.100.2", isatIP, "192.0.2.60", "192.0.2.77")
		got := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		slices.Sort(got)
		want := []string{
			isatIP + " in use by " + isatMAC, peerIP + " in use by " + peerMAC,
			"192.0.2.60 in use by " + isatMAC, "198.51.100.2 in use by " + peerMAC,
		}
		slices.Sort(want)
		if r.Code != 1 || r.Stderr != "" || !slices.Equal(got, want) {
			t.Errorf("got %+v, want exit status 1 and %q", r, want)
		}
		for _, own := range []string{isatIP, "192.0.2.60"} {
			if asked := wire.Since(0, both(isProbe, who(own))); len(asked) > 0 {
				t.Errorf("isat asked the wire for its own %s", own)
			}
		}
	})

	t.Run("free", func(t *testing.T) {
		mark := wire.Mark()
		r := d.Host.RunIn("192.0.2.77\n198.51.100.77\n", program(t), "--socket", d.path("sock"), "probe", "--fast", "e0", "-")
		if r.Code != 0 || r.Stdout != "" || r.Stderr != "" {
			t.Errorf("got %+v, want exit status 0 and no word", r)
		}
		for _, ip := range []string{"192.0.2.77", "198.51.100.77"} {
			probes := wire.Since(mark, both(isProbe, who(ip)))
			if len(probes) != 3 { // fastprobe_count
				t.Errorf("%d probes for %s, want 3", len(probes), ip)
			}
			for _, f := range probes {
				if !f.Out || !f.Header.Destination.IsBroadcast() || f.Packet.SenderHW.String() != isatMAC || !f.Packet.TargetHW.IsZero() {
					t.Errorf("a probe by RFC 5227 section 2.1.1 is not %v to %v", f.Packet, f.Header.Destination)
				}
			}
		}
		if _, ok := d.Entry("e0", "192.0.2.77"); ok {
			t.Error("probing made an entry")
		}
	})

	// Both want the address at the same moment: neither may take it.
	t.Run("wanted by arping -D, too", func(t *testing.T) {
		rival := peer.Start("arping", "-D", "-I", "e0", "-c", "9", "192.0.2.78")
		wire.Await(0, "arping's probe", both(func(f Frame) bool { return !f.Out }, both(isProbe, who("192.0.2.78"))))
		if r := d.Tool("probe", "e0", "192.0.2.78"); r.Code != 1 || r.Stdout != "192.0.2.78 in use by "+peerMAC+"\n" {
			t.Errorf("got %+v\narping wrote %s", r, rival.Output())
		}
	})

	t.Run("wrong input", func(t *testing.T) {
		for _, c := range []struct {
			name string
			args []string
			code int
			want string
		}{
			{"no interface", []string{"e7", "192.0.2.77"}, 1, "isat: probing on e7: no such interface"},
			{"not taken over", []string{"lo", "192.0.2.77"}, 1, "isat: probing on lo: not taken over"},
			{"a group's address", []string{"e0", "224.0.0.1"}, 1, "224.0.0.1"},
			{"nobody's address", []string{"e0", "0.0.0.0"}, 1, "0.0.0.0"},
			{"twice", []string{"e0", "192.0.2.77", "192.0.2.77"}, 1, "192.0.2.77"},
			{"IPv6", []string{"e0", "2001:db8::1"}, 2, "want an IPv4 address"},
			{"no address", []string{"e0"}, 2, "ADDRESS"},
		} {
			r := d.Tool(append([]string{"probe", "--fast"}, c.args...)...)
			if r.Code != c.code || r.Stdout != "" || !strings.Contains(r.Stderr, c.want) || strings.Count(r.Stderr, "\n") != 1 {
				t.Errorf("%s: %+v, want exit status %d and a line with %q", c.name, r, c.code, c.want)
			}
		}
	})

	t.Run("no link", func(t *testing.T) {
		// One that is under way ends with an error, one address being known.
		var told []api.Probed
		err := d.API.Probe(t.Context(), api.ProbeRequest{Interface: "e0", IPs: addrs(isatIP, "192.0.2.79")}, func(p api.Probed) error {
			told = append(told, p)
			peer.Must("ip", "link", "set", "e0", "down")
			return nil
		})
		if fmt.Sprint(err) == "<nil>" || !strings.Contains(err.Error(), "down") || len(told) != 1 {
			t.Errorf("the link went down: %v, after %v", err, told)
		}
		r := d.Tool("probe", "e0", "192.0.2.77")
		if r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "down") {
			t.Errorf("without a link: %+v", r)
		}
	})
}

// TestProbeMany asks for ten thousand addresses in one call, of which the peer has
// three: no more than two thousand probes leave in a second.
//
//	isat 192.0.2.1 e0 ──── e0 10.0.0.5, 10.0.19.136, 10.0.39.15 peer
func TestProbeMany(t *testing.T) {
	t.Parallel()
	const n, perSecond = 10_000, 2000
	isat, peer := NewPair(t)
	taken := []string{"10.0.0.5", "10.0.19.136", "10.0.39.15"}
	for _, ip := range taken {
		peer.Must("ip", "addr", "add", ip+"/32", "dev", "e0")
	}
	// Two probes each make the call a third shorter, and trains of more than one
	// frame all the same.
	d := StartISAT(t, isat, "[sysctl]\n\"net.link.ether.arp.fastprobe_count\" = 2\n"+standard)
	wire := d.Wire("e0")
	q := api.ProbeRequest{Interface: "e0", Fast: true}
	for i := range n {
		q.IPs = append(q.IPs, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).Next())
	}
	before := d.peakMemory()
	mark := wire.Mark()
	seen := make(map[netip.Addr]bool, n)
	var used []string
	err := d.API.Probe(t.Context(), q, func(p api.Probed) error {
		if seen[p.IP] {
			t.Errorf("%v is told twice", p.IP)
		}
		seen[p.IP] = true
		if !p.Free {
			used = append(used, fmt.Sprint(p.IP, " ", p.MAC))
		}
		if len(seen)%500 == 0 {
			wire.Frames() // the capture has not room for all of them at once
		}
		return nil
	})
	if err != nil || len(seen) != n {
		t.Fatalf("%v, after %d addresses of %d", err, len(seen), n)
	}
	slices.Sort(used)
	want := []string{"10.0.0.5 " + peerMAC, "10.0.19.136 " + peerMAC, "10.0.39.15 " + peerMAC}
	if !slices.Equal(used, want) {
		t.Errorf("in use are %q, want %q", used, want)
	}
	if grown := d.peakMemory() - before; !raceEnabled && grown > 32<<20 {
		t.Errorf("ten thousand addresses took %d MiB of memory, more than 32", grown>>20)
	}

	probes := wire.Since(mark, both(isProbe, sentARP))
	if got := len(probes); got < 2*(n-len(taken)) || got > 2*n {
		t.Errorf("%d probes for %d addresses, want 2 each", got, n)
	}
	// A frame that is late, because the machine was busy, leaves together with the
	// next ones. How late they were at most is seen from the longest pause.
	var pause time.Duration
	for i := 1; i < len(probes); i++ {
		pause = max(pause, probes[i].Time.Sub(probes[i-1].Time))
	}
	bound := perSecond*11/10 + int(pause.Seconds()*perSecond)
	first := 0
	for i, f := range probes {
		for f.Time.Sub(probes[first].Time) >= time.Second {
			first++
		}
		if in := i - first + 1; in > bound {
			t.Fatalf("%d probes in the second before %v, more than %d; the longest pause was %v", in, f.Time, bound, pause)
		}
	}
	t.Logf("%d probes in %v, the longest pause was %v", len(probes), probes[len(probes)-1].Time.Sub(probes[0].Time), pause)
}

// isProbe matches probes of RFC 5227.
func isProbe(f Frame) bool { return f.Packet.Operation == arp.Request && f.Packet.IsProbe() }

// addrs parses addresses.
func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// peakMemory returns the most bytes of memory that the daemon has had (VmHWM of
// proc_pid_status(5)).
func (d *ISAT) peakMemory() int {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	var kibibytes int
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kibibytes); err == nil {
			return kibibytes << 10
		}
	}
	d.t.Fatal("no VmHWM in the status of the process")
	return 0
}
