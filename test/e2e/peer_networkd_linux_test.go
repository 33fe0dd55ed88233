package e2e

import (
	"slices"
	"testing"

	"github.com/isat-project/isat/api"
)

// networkd is where Debian has it; it is on nobody's path.
const networkd = "/lib/systemd/systemd-networkd"

// startNetworkd starts systemd-networkd on a host whose interface e0 it configures.
func startNetworkd(t *testing.T, h *Host, network string) *Process {
	t.Helper()
	need(t, networkd, "setpriv")
	files := NewFiles(t, "/run", "/etc/systemd/network")
	files.Write("/run/systemd/network/e0.network", "[Match]\nName=e0\n"+network)
	files.Write("/run/systemd/netif/links/none", "") // it does not make the directory itself
	files.Own("/run/systemd", "systemd-network")
	// It would give up root itself; but then it could outlive the test.
	const caps = "+net_admin,+net_raw,+net_bind_service"
	return h.StartWith(files, "env", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=info",
		"setpriv", "--reuid", "systemd-network", "--regid", "systemd-network", "--init-groups",
		"--inh-caps", caps, "--ambient-caps", caps, "--pdeathsig", "KILL", networkd)
}

// TestPeerNetworkd: systemd-networkd, which detects conflicts as RFC 5227 says, does
// not configure an address that isat has, or that isat asks for at the same time.
// Isat does not keep one that networkd has.
//
//	isat 192.0.2.1 e0 ──── e0 peer with systemd-networkd
func TestPeerNetworkd(t *testing.T) {
	t.Parallel()
	const free, wanted = "192.0.2.7", "192.0.2.8"
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	d := StartISAT(t, isat, detecting)
	network := "[Network]\nLinkLocalAddressing=no\n"
	for _, ip := range []string{isatIP, free, wanted} {
		network += "[Address]\nAddress=" + ip + "/24\nDuplicateAddressDetection=ipv4\n"
	}
	p := startNetworkd(t, peer, network)

	d.Wire("e0").Await(0, "networkd's probe for "+wanted, who(wanted))
	isat.Must("ip", "addr", "add", wanted+"/24", "dev", "e0")
	for _, ip := range []string{isatIP, wanted} {
		awaitSaid(t, p, "e0: Dropping address "+ip+", as an address conflict was detected.")
	}
	await(t, "networkd has configured "+free, func() bool { return len(peer.addresses("e0")) > 0 })

	checkDetects(t, d, free, peerMAC)
	if got := peer.addresses("e0"); !slices.Equal(got, []string{free + "/24"}) {
		t.Errorf("networkd configured %v", got)
	}
	if state := d.ownState("e0", isatIP); state != api.AddrVerified {
		t.Errorf("isat shows its first address as %q", state)
	}
}
