package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNetTools is arp of net-tools on isat's host: it sees what isat knows, and
// what it sets and deletes holds in isat.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestNetTools(t *testing.T) {
	t.Parallel()
	Require(t, "arp", "ping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	shown := func(ip string) []string {
		t.Helper()
		for line := range strings.Lines(isat.Must("arp", "-n", "-i", "e0")) {
			if f := strings.Fields(line); len(f) > 0 && f[0] == ip {
				return f[1:]
			}
		}
		return nil
	}
	ours := func(ip string) string {
		t.Helper()
		return strings.TrimSuffix(d.Tool("arp", "-n", ip).Stdout, "\n")
	}

	isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
	if got := fmt.Sprint(shown(peerIP)); got != "[ether "+peerMAC+" C e0]" {
		t.Errorf("arp shows what isat resolved as %s", got)
	}

	permanent := fmt.Sprintf("? (%s) at %s on e0 permanent [ethernet]", askerIP, askerMAC)
	isat.Must("arp", "-s", askerIP, askerMAC)
	await(t, "isat adopts what arp -s has set", func() bool { return ours(askerIP) == permanent })
	if got := fmt.Sprint(shown(askerIP)); got != "[ether "+askerMAC+" CM e0]" {
		t.Errorf("arp shows what arp -s has set as %s", got)
	}
	// It resists, as one that isat's own arp has set.
	mark := d.Wire("e0").Mark()
	exchange(t, peer.Capture("e0"), scapy(t, `arp(hwsrc="02:00:00:00:00:66")`)[0])
	if n, ok := isat.Neighbour("e0", askerIP); !ok || n.MAC != askerMAC || n.State[0] != "PERMANENT" {
		t.Errorf("the kernel has %+v after a claim", n)
	}
	isat.Run("ping", "-q", "-c", "1", "-W", "1", askerIP)
	if asked := d.Wire("e0").Since(mark, both(sentARP, who(askerIP))); len(asked) > 0 {
		t.Errorf("isat asked for a permanent entry: %v", asked[0].Packet)
	}

	isat.Must("arp", "-s", askerIP, "02:00:00:00:00:0b")
	await(t, "isat follows another arp -s", func() bool {
		return ours(askerIP) == strings.ReplaceAll(permanent, askerMAC, "02:00:00:00:00:0b")
	})

	gone := fmt.Sprintf("%s (%[1]s) -- no entry", askerIP) // arp(8): HOST as it was given
	isat.Must("arp", "-d", askerIP)
	await(t, "isat follows arp -d", func() bool { return ours(askerIP) == gone })
	if got := shown(askerIP); len(got) > 0 && got[0] != "(incomplete)" {
		t.Errorf("arp shows what arp -d has deleted as %v", got)
	}

	// The other way: isat's arp sets, the kernel has it.
	if r := d.Tool("arp", "-s", askerIP, askerMAC); r.Code != 0 {
		t.Errorf("isat arp -s: %+v", r)
	}
	await(t, "arp shows what isat arp -s has set", func() bool { return fmt.Sprint(shown(askerIP)) == "[ether "+askerMAC+" CM e0]" })
	if r := d.Tool("arp", "-d", askerIP); r.Stdout != fmt.Sprintf("%s (%[1]s) deleted\n", askerIP) {
		t.Errorf("isat arp -d: %+v", r)
	}
	await(t, "arp shows it no more", func() bool { got := shown(askerIP); return len(got) == 0 || got[0] == "(incomplete)" })

	// A dynamic entry that arp -d deletes is resolved anew.
	isat.Must("arp", "-d", peerIP)
	await(t, "isat follows arp -d of a dynamic entry", func() bool { _, ok := d.Entry("e0", peerIP); return !ok })
	mark = d.Wire("e0").Mark()
	start := time.Now()
	isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
	d.Wire("e0").Await(mark, "a new request", both(sentARP, who(peerIP)))
	t.Logf("the ping after arp -d took %v", time.Since(start))
}

// TestSetAndDeletedAtOnce: an entry that others set and delete at once, before
// isat has dealt with it, does not come back; one that is set at last stays.
func TestSetAndDeletedAtOnce(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	const stays = "192.0.2.77"
	add := func(ip string) string {
		return fmt.Sprintf("neigh add %s lladdr %s nud permanent dev e0\n", ip, askerMAC)
	}
	del := func(ip string) string { return fmt.Sprintf("neigh del %s dev e0\n", ip) }
	batch := add(stays) + strings.Repeat(add(askerIP)+del(askerIP)+del(stays)+add(stays), 100)
	if r := isat.RunIn(batch, "ip", "-batch", "-"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	fixed := func(ip string) (kernel, ours bool) {
		n, ok := isat.Neighbour("e0", ip)
		e, known := d.Entry("e0", ip)
		return ok && n.State[0] == "PERMANENT", known && e.Permanent
	}
	await(t, "isat has the entry that was set last", func() bool { kernel, ours := fixed(stays); return kernel && ours })
	await(t, "isat does not have the entry that was deleted last", func() bool { kernel, ours := fixed(askerIP); return !kernel && !ours })
	if kernel, ours := fixed(stays); !kernel || !ours {
		t.Errorf("in the kernel %v, in isat %v: the entry that was set last", kernel, ours)
	}
}
