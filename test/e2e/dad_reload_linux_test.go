package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
)

// own returns the own addresses of e0 as `isat status` has them.
func (d *ISAT) own() map[string]api.InterfaceAddr {
	d.t.Helper()
	s, err := d.API.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	all := make(map[string]api.InterfaceAddr)
	for _, i := range s.Interfaces {
		for _, a := range i.Addresses {
			if i.Name == "e0" {
				all[a.Prefix.Addr().String()] = a
			}
		}
	}
	return all
}

// awaitOwn waits until an own address is in one of the states.
func (d *ISAT) awaitOwn(ip string, states ...string) api.InterfaceAddr {
	d.t.Helper()
	var a api.InterfaceAddr
	await(d.t, ip+" is "+strings.Join(states, " or "), func() bool {
		a = d.own()[ip]
		return slices.Contains(states, a.State)
	})
	return a
}

// isAnnouncement matches announcements of an address.
func isAnnouncement(ip string) func(Frame) bool {
	return both(who(ip), func(f Frame) bool { return f.Packet.SenderIP == f.Packet.TargetIP })
}

// TestReloadDAD changes how own addresses are treated while an interface is in use:
// it is not handed back for that, and keeps what it knows.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2, 192.0.2.12, 192.0.2.14 peer
func TestReloadDAD(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	peer.Must("ip", "addr", "add", "192.0.2.12/24", "dev", "e0")
	peer.Must("ip", "addr", "add", "192.0.2.14/24", "dev", "e0")
	idle := standard + "[[dad]]\nprefix = \"192.0.2.13/32\"\n"
	d := StartISAT(t, isat, idle)
	warning := d.path("toml") + ":10: no [[interface]] watches its own addresses (dad = true); the policy waits until `isat take` takes another over"
	if n := d.Said(warning); n != 1 {
		t.Errorf("at the start it warns %d times of a policy without effect\n%s", n, d.Output())
	}
	wire := d.Wire("e0")
	wire.AllowClaims("192.0.2.12 and 192.0.2.14 are the peer's and, for a moment, isat's")
	isat.Must("ping", "-c", "1", peerIP)
	if a := d.own()[isatIP]; a.State != api.AddrVerified {
		t.Errorf("without dad: %+v", a)
	}
	e0 := d.observe()
	reload := func(config string, want ...string) int {
		t.Helper()
		mark := wire.Mark()
		d.WriteConfig(config)
		r := d.Tool("reload")
		for _, line := range want {
			if r.Code != 0 || !strings.Contains(r.Stdout, line+"\n") {
				t.Errorf("reload: %+v, want the line %q", r, line)
			}
		}
		now := d.observe()
		if now.since != e0.since || now.entry.MAC != e0.entry.MAC {
			t.Errorf("a reload disturbs e0: %+v, before %+v", now, e0)
		}
		return mark
	}

	// On: what is there counts as in use, and is announced.
	sysctl := "[sysctl]\n\"net.link.ether.arp.publish_count\" = 1\n\"net.link.ether.arp.publish_interval\" = 1000\n"
	on := sysctl + strings.ReplaceAll(standard, "dad = false", "dad = true\nreprobe = \"strict\"")
	mark := reload(on, "interface e0: dad: false -> true", "interface e0: reprobe: announce -> strict")
	wire.Await(mark, "the announcement of a present address", isAnnouncement(isatIP))
	d.awaitOwn(isatIP, api.AddrVerified)
	if p := isat.params("e0"); p["mcast_solicit"] != "6" { // the only address may be probed for long
		t.Errorf("with dad the kernel waits for %s requests, want 6", p["mcast_solicit"])
	}
	if probes := wire.Since(mark, isProbe); len(probes) > 0 {
		t.Errorf("a present address is probed: %v", probes[0].Packet)
	}

	// What comes later is probed, unless a policy, which comes by a reload, says no.
	mark = wire.Mark()
	isat.Must("ip", "addr", "add", "192.0.2.10/24", "dev", "e0")
	wire.Await(mark, "a probe for a new address", both(isProbe, who("192.0.2.10")))
	d.awaitOwn("192.0.2.10", api.AddrAnnouncing, api.AddrVerified)
	mark = reload(on+"[[dad]]\nprefix = \"192.0.2.11/32\"\npolicy = \"off\"\n", "dad prefix 192.0.2.11/32: added")
	isat.Must("ip", "addr", "add", "192.0.2.11/24", "dev", "e0")
	d.awaitOwn("192.0.2.11", api.AddrExempt)

	// One that is the peer's is shown with its owner, and not in the table.
	isat.Must("ip", "addr", "add", "192.0.2.12/24", "dev", "e0")
	if a := d.awaitOwn("192.0.2.12", api.AddrDuplicate); a.Owner != peerMAC {
		t.Errorf("the owner of a duplicate: %+v, want %s", a, peerMAC)
	}
	await(t, "the duplicate is off e0", func() bool { return !slices.Contains(isat.addresses("e0"), "192.0.2.12/24") })
	if r := d.Tool("status"); !strings.Contains(r.Stdout, "\taddress 192.0.2.12/24 duplicate, in use by "+peerMAC+"\n") {
		t.Errorf("isat status: %s", r.Stdout)
	}
	if r := d.Tool("arp", "-an"); strings.Contains(r.Stdout, "(192.0.2.12) at "+isatMAC) {
		t.Errorf("a duplicate is listed as an own address: %s", r.Stdout)
	}
	for _, ip := range []string{"192.0.2.11", isatIP} {
		if sent := wire.Since(mark, both(sentARP, isAnnouncement(ip))); len(sent) > 0 {
			t.Errorf("%s is announced after a reload that is not about it", ip)
		}
	}

	// A policy that comes and goes holds for what is there, and for what is taken down.
	isat.Must("ip", "addr", "add", "192.0.2.14/24", "dev", "e0")
	d.awaitOwn("192.0.2.14", api.AddrDuplicate)
	await(t, "the duplicate is off e0", func() bool { return !slices.Contains(isat.addresses("e0"), "192.0.2.14/24") })
	exempt := "[[dad]]\nprefix = \"192.0.2.10/31\"\npolicy = \"off\"\n[[dad]]\nprefix = \"192.0.2.14/32\"\npolicy = \"off\"\n"
	reload(on+exempt, "dad prefix 192.0.2.10/31: added", "dad prefix 192.0.2.14/32: added")
	d.awaitOwn("192.0.2.10", api.AddrExempt)
	d.awaitOwn("192.0.2.14", api.AddrExempt)
	await(t, "what was taken down is on e0", func() bool { return slices.Contains(isat.addresses("e0"), "192.0.2.14/24") })
	mark = reload(on+"[[dad]]\nprefix = \"192.0.2.11/32\"\npolicy = \"off\"\n", "dad prefix 192.0.2.10/31: removed")
	for _, ip := range []string{"192.0.2.10", "192.0.2.14"} {
		wire.Await(mark, "the announcement of "+ip+", which is watched again", isAnnouncement(ip))
		d.awaitOwn(ip, api.AddrVerified)
	}

	// Off: each is in use, and what was taken away is put back, as nobody watches.
	reload(idle, "interface e0: dad: true -> false", "dad prefix 192.0.2.11/32: removed")
	await(t, "a second warning of a policy without effect", func() bool { return d.Said(warning) == 2 })
	for _, ip := range []string{isatIP, "192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.14"} {
		if a := d.own()[ip]; a.State != api.AddrVerified {
			t.Errorf("without dad again: %+v of %s", a, ip)
		}
	}
	if p := isat.params("e0"); p["mcast_solicit"] != "5" {
		t.Errorf("without dad again the kernel waits for %s requests, want 5", p["mcast_solicit"])
	}
	if !slices.Contains(isat.addresses("e0"), "192.0.2.12/24") {
		t.Errorf("without dad again e0 has %v, without the address that was taken away", isat.addresses("e0"))
	}
}
