package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isat-project/isat/link/cable"
)

// The port is the other end of a TAP interface, which is a port of a bridge:
//
//	┌ namespace isat ───────────────────────────┐      ┌ namespace peer ──┐
//	│ isat0 (TUN)  isat  t0 (TAP) ─ br0 ─ e0 ───────────── e0             │
//	│ 192.0.2.1                                 │      │ 192.0.2.2        │
//	└───────────────────────────────────────────┘      └──────────────────┘
func TestTUNOverTAP(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", "02:00:00:00:00:09"), peer.End("e0", peerMAC))
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	isat.Must("ip", "link", "add", "br0", "type", "bridge")
	isat.Must("ip", "link", "set", "br0", "up")
	isat.Must("ip", "link", "set", "e0", "master", "br0")
	StartISAT(t, isat, fmt.Sprintf(`
[[interface]]
name = "isat0"
datapath = "tun"
port = "tap:t0"
mac = %q
addresses = ["192.0.2.1/24"]
`, isatMAC))
	isat.Must("ip", "link", "set", "t0", "master", "br0", "up")
	await(t, "the bridge forwards", func() bool { return isat.Run("ping", "-c", "1", "-W", "1", peerIP).Code == 0 })
	isat.Must("ping", "-c", "2", "-i", "0.2", "-s", "5000", peerIP)
	peer.Must("ping", "-c", "2", "-i", "0.2", "-s", "5000", isatIP)
	if nb, ok := peer.Neighbour("e0", isatIP); !ok || nb.MAC != isatMAC {
		t.Errorf("the peer's neighbour is %+v", nb)
	}
}

// Two hosts of their own on a cable, on each medium: there is no other kernel on
// it than theirs above IP.
//
//	┌ namespace a ─────────────┐               ┌ namespace b ─────────────┐
//	│ isat0 (TUN)  isat ────────── cable's hub ──── isat   isat0 (TUN)    │
//	│ 192.0.2.1                │               │ 192.0.2.2                │
//	└──────────────────────────┘               └──────────────────────────┘
func TestTUNOverCable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		medium string
		mtu    int
		macs   [2]string
		shown  string // the second as arp(8) shows it: link_ntoa(3), but for Ethernet
	}{
		{"ethernet", 1500, [2]string{isatMAC, peerMAC}, peerMAC},
		{"token-ring", 2002, [2]string{isatMAC, peerMAC}, "2.0.0.0.0.2"},
		{"arcnet", 1500, [2]string{"1f", "20"}, "20"},
	} {
		t.Run(tt.medium, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "cable")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			path := filepath.Join(dir, "hub")
			config := func(mac, address string) string {
				return fmt.Sprintf(`
[[interface]]
name = "isat0"
datapath = "tun"
port = "cable:%s"
medium = %q
mac = %q
mtu = %d
addresses = ["%s/24"]
`, path, tt.medium, mac, tt.mtu, address)
			}
			n := NewNet(t)
			a, b := n.Host("a"), n.Host("b")
			da := StartISAT(t, a, config(tt.macs[0], isatIP)) // it waits for the hub
			if out := da.Tool("status").Stdout; !strings.Contains(out, "isat0: absent") {
				t.Errorf("without a hub the status is\n%s", out)
			}
			hub, err := cable.Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- hub.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-done })
			StartISAT(t, b, config(tt.macs[1], peerIP))
			await(t, "they reach each other", func() bool { return b.Run("ping", "-c", "1", "-W", "1", isatIP).Code == 0 })
			a.Must("ping", "-c", "3", "-i", "0.2", peerIP)
			a.Must("ping", "-c", "3", "-i", "0.2", "-s", "5000", peerIP)
			if e, ok := da.Entry("isat0", peerIP); !ok || string(e.MAC) != tt.macs[1] {
				t.Errorf("the entry is %+v, %v", e, ok)
			}
			if out := da.Tool("arp", "-an").Stdout; !strings.Contains(out, fmt.Sprintf("? (%s) at %s on isat0 expires in", peerIP, tt.shown)) {
				t.Errorf("isat arp -an says\n%s", out)
			}
		})
	}
}
