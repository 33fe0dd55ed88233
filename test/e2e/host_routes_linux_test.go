package e2e

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
)

// TestHostRoutes: arp(4)'s cache in the routing table, beside what the kernel has.
// The networks on the link are its routes of scope link; the host routes that they
// are cloned to are its neighbours, made when it wants to send and gone with the
// entry.
//
//	isat 192.0.2.1, 198.51.100.1 e0 ──── e0 192.0.2.2, 192.0.2.3, 198.51.100.2 peer
func TestHostRoutes(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	isat, peer := NewPair(t)
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e0")
	peer.Must("ip", "addr", "add", "192.0.2.3/24", "dev", "e0")
	peer.Must("ip", "addr", "add", "198.51.100.2/24", "dev", "e0")
	d := StartISAT(t, isat, standard)
	events := d.follow(t)

	// same compares isat's routes with the kernel's tables.
	same := func(when string) {
		t.Helper()
		var networks, wantNetworks, hosts, wantHosts []string
		await(t, when+" isat route is as the kernel's tables", func() bool {
			networks, hosts = d.routes(t, "e0")
			wantNetworks, wantHosts = isat.linkRoutes("e0"), nil
			for _, n := range isat.Neighbours("e0") {
				if ip := netip.MustParseAddr(n.IP); ip.Is4() && !ip.IsMulticast() {
					wantHosts = append(wantHosts, n.IP+"/32 "+n.MAC)
				}
			}
			slices.Sort(wantHosts)
			return slices.Equal(networks, wantNetworks) && slices.Equal(hosts, wantHosts)
		})
		t.Logf("%s: networks %v, hosts %v", when, networks, hosts)
	}
	same("at first")
	for _, ip := range []string{peerIP, "192.0.2.3", "198.51.100.2"} {
		if _, hosts := d.routes(t, "e0"); slices.Contains(hosts, ip+"/32 "+peerMAC) {
			t.Errorf("there is a route to %s that nobody has wanted", ip)
		}
		isat.Must("ping", "-q", "-c", "1", "-W", "10", ip)
		if n, ok := isat.Neighbour("e0", ip); !ok || n.MAC != peerMAC {
			t.Errorf("the kernel's neighbour %s is %+v", ip, n)
		}
		same("after ping " + ip)
		if _, hosts := d.routes(t, "e0"); !slices.Contains(hosts, ip+"/32 "+peerMAC) {
			t.Errorf("there is no route to %s", ip)
		}
		for _, kind := range []string{"route_resolve", "route_add"} {
			if !slices.ContainsFunc(events(), func(e api.Event) bool { return e.Type == kind && e.IP.String() == ip }) {
				t.Errorf("isat events has no %s of %s", kind, ip)
			}
		}
	}
	must(t, d, "arp", "-d", "192.0.2.3")
	if _, hosts := d.routes(t, "e0"); slices.Contains(hosts, "192.0.2.3/32 "+peerMAC) {
		t.Error("the route to a deleted neighbour is there")
	}
	same("after arp -d")
	isat.Must("ip", "addr", "del", "198.51.100.1/24", "dev", "e0")
	same("after ip addr del")
	if networks, _ := d.routes(t, "e0"); !slices.Equal(networks, []string{"192.0.2.0/24"}) {
		t.Errorf("networks %v", networks)
	}
}

// routes returns what isat route has of an interface: the cloning routes, and the
// host routes that were cloned from them, with their MAC.
func (d *ISAT) routes(t *testing.T, ifname string) (networks, hosts []string) {
	t.Helper()
	var list struct {
		Routes []api.Route `json:"routes"`
	}
	if err := json.Unmarshal([]byte(must(t, d, "route", "--json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Routes {
		switch {
		case r.Interface != ifname:
		case r.Flags == "UC":
			networks = append(networks, r.Destination.String())
		case r.Flags == "UHLW":
			hosts = append(hosts, r.Destination.String()+" "+r.Gateway)
		}
	}
	slices.Sort(networks)
	slices.Sort(hosts)
	return networks, hosts
}

// linkRoutes returns the networks that the kernel reaches on an interface without
// a gateway.
func (h *Host) linkRoutes(ifname string) []string {
	h.t.Helper()
	networks := make(map[string]bool)
	for line := range strings.Lines(h.Must("ip", "-4", "route", "show", "scope", "link", "dev", ifname)) {
		networks[strings.Fields(line)[0]] = true
	}
	return slices.Sorted(maps.Keys(networks))
}
