package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/isat-project/isat/api"
)

// startNetworkManager starts NetworkManager on a host, with a message bus of its
// own, without which it does not begin. It tries one connection profile of e0 after
// the other, each with one address, until it can have that.
func startNetworkManager(t *testing.T, h *Host, addresses ...string) *Process {
	t.Helper()
	need(t, "NetworkManager", "dbus-daemon")
	files := NewFiles(t, "/run", "/etc/NetworkManager", "/var/lib/NetworkManager")
	files.Write("/run/dbus/bus.conf", `<busconfig>
<type>system</type>
<listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>`)
	bus := h.StartWith(files, "dbus-daemon", "--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile", "--print-address")
	awaitSaid(t, bus, "unix:path=")

	files.Write("/etc/NetworkManager/NetworkManager.conf", `[main]
plugins=keyfile
no-auto-default=*
dns=none
hostname-mode=none
auth-polkit=false
`)
	for i, address := range addresses {
		name := fmt.Sprintf("profile%d", i)
		files.Write("/etc/NetworkManager/system-connections/"+name, fmt.Sprintf(`[connection]
id=%s
type=ethernet
interface-name=e0
autoconnect-priority=%d
autoconnect-retries=1
[ipv4]
method=manual
address1=%s
dad-timeout=1000
[ipv6]
method=disabled
`, name, len(addresses)-i, address))
	}
	return h.StartWith(files, "NetworkManager", "--debug")
}

// TestPeerNetworkManager: NetworkManager, whose detection is n-acd's, does not
// configure an address that isat has, and isat does not keep one that it has.
//
//	isat 192.0.2.1 e0 ──── e0 peer with NetworkManager
func TestPeerNetworkManager(t *testing.T) {
	t.Parallel()
	const free = "192.0.2.7"
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	d := StartISAT(t, isat, detecting)
	p := startNetworkManager(t, peer, isatIP+"/24", free+"/24")

	awaitSaid(t, p, "IPv4 address "+isatIP+" is used on network connected to interface 2 (e0) from host "+isatMAC)
	awaitSaid(t, p, "device (e0): Activation: successful")

	checkDetects(t, d, free, peerMAC)
	if got := peer.addresses("e0"); !slices.Equal(got, []string{free + "/24"}) {
		t.Errorf("NetworkManager configured %v", got)
	}
	if state := d.ownState("e0", isatIP); state != api.AddrVerified {
		t.Errorf("isat shows its first address as %q", state)
	}
}
