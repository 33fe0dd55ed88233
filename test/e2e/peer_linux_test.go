package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/isat-project/isat/api"
)

// detecting is [standard] with detection of duplicates. Where the link reports its
// state, as a veth does, an address is verified within six tenths of a second.
const detecting = `
[[interface]]
name = "e0"
dad = true
`

// addresses returns the IPv4 addresses that an interface of the host has, as
// `ip addr` shows them.
func (h *Host) addresses(ifname string) (all []string) {
	h.t.Helper()
	var links []struct {
		Addrs []struct {
			Local  string `json:"local"`
			Length int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(h.Must("ip", "-json", "-4", "addr", "show", "dev", ifname)), &links); err != nil {
		h.t.Fatal(err)
	}
	for _, l := range links {
		for _, a := range l.Addrs {
			all = append(all, fmt.Sprintf("%s/%d", a.Local, a.Length))
		}
	}
	return all
}

// inUse reports whether isat uses an own address.
func (d *ISAT) inUse(ip string) bool {
	d.t.Helper()
	return slices.Contains([]string{api.AddrAnnouncing, api.AddrVerified, api.AddrDefending, api.AddrReprobing}, d.ownState("e0", ip))
}

// said matches frames in which a station says that an address is its own.
func said(mac, ip string) func(Frame) bool {
	return func(f Frame) bool {
		return isARP(f) && f.Header.Source.String() == mac && f.Packet.SenderIP.String() == ip
	}
}

// checkDetects gives isat's host an address that another has, and checks what isat
// makes of it: it says whose it is and takes it down, without having claimed it.
func checkDetects(t *testing.T, d *ISAT, ip, mac string) {
	t.Helper()
	wire := d.Wire("e0")
	mark := wire.Mark()
	d.Host.Must("ip", "addr", "add", ip+"/24", "dev", "e0")
	line := fmt.Sprintf("e0 has duplicate address %s (in use by %s); disabled.", ip, mac)
	await(t, "isat says "+line, func() bool { return d.Said(line) == 1 })
	await(t, "the kernel does not have "+ip, func() bool { return !d.Host.has("e0", ip) })
	if state := d.ownState("e0", ip); state != api.AddrDuplicate {
		t.Errorf("isat shows %s as %q, want %s", ip, state, api.AddrDuplicate)
	}
	if r := d.Tool("probe", "--fast", "e0", ip); r.Code != 1 || r.Stdout != fmt.Sprintf("%s in use by %s\n", ip, mac) {
		t.Errorf("isat probe: %+v", r)
	}
	if claims := wire.Since(mark, said(isatMAC, ip)); len(claims) > 0 {
		t.Errorf("isat claimed %s: %v", ip, claims[0].Packet)
	}
}
