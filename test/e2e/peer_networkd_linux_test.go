package e2e

import "testing"

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

// TestPeerNetworkd: systemd-networkd, which follows RFC 5227 with its timing, does
// not configure isat's address.
//
//	isat 192.0.2.1 e0 ──── e0 peer with systemd-networkd
func TestPeerNetworkd(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	StartISAT(t, isat, detecting)
	p := startNetworkd(t, peer, `
[Network]
LinkLocalAddressing=no
[Address]
Address=192.0.2.1/24
DuplicateAddressDetection=ipv4
[Address]
Address=192.0.2.7/24
DuplicateAddressDetection=ipv4
`)
	awaitSaid(t, p, "e0: Dropping address 192.0.2.1, as an address conflict was detected.")
	await(t, "it configures the other address", func() bool { return len(peer.addresses("e0")) > 0 })
	if got := peer.addresses("e0"); len(got) != 1 || got[0] != "192.0.2.7/24" {
		t.Errorf("networkd configured %v", got)
	}
}
