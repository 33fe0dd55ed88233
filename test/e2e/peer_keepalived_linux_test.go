package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// vip is the address that moves.
const vip = "192.0.2.100"

// startKeepalived starts keepalived on a host that has the address vip while no
// host with a higher priority does. The times are the shortest that a busy machine
// keeps.
func startKeepalived(t *testing.T, h *Host, priority int) *Process {
	t.Helper()
	need(t, "keepalived")
	files := NewFiles(t, "/run")
	files.Write("/run/keepalived.conf", fmt.Sprintf(`global_defs {
  vrrp_version 3
  vrrp_garp_master_delay 1
}
vrrp_instance vip {
  interface e0
  state BACKUP
  virtual_router_id 51
  priority %d
  advert_int 0.2
  virtual_ipaddress { %s/32 }
}
`, priority, vip))
	return h.StartWith(files, "keepalived", "--dont-fork", "--log-console", "--use-file=/run/keepalived.conf")
}

// child returns the process id of a program's only child: keepalived does VRRP in
// one.
func child(t *testing.T, p *Process) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatalf("%v has the children %q", p.cmd.Args, b)
	}
	return pid
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("sending %v to process %d: %v", s, pid, err)
	}
}

// TestPeerKeepalived: an address moves between two hosts with isat as keepalived
// decides. Everybody's traffic follows, and isat removes no address: a /32 inside
// the network of the interface is announced, not probed.
//
//	a 192.0.2.1 e0 ──┬── e0 192.0.2.2 b, both with isat and keepalived
//	                 └── e0 192.0.2.3 peer
func TestPeerKeepalived(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	a, b, peer := n.Host("a"), n.Host("b"), n.Host("peer")
	const macA, macB = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
	lan := n.Switch("lan", a.End("e0", macA), b.End("e0", macB), peer.End("e0", peerMAC))
	for i, h := range []*Host{a, b, peer} {
		h.Must("ip", "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "e0")
	}
	need(t, "ping")
	var daemons []*ISAT
	for _, h := range []*Host{a, b} {
		d := StartISAT(t, h, detecting)
		d.Wire("e0").AllowClaims("the address has one host after the other, and for moments two")
		daemons = append(daemons, d)
	}
	// moved waits until the address is where it belongs, and there alone, and the
	// peer's traffic goes there.
	moved := func(why string, to, from *Host, mac string) {
		t.Helper()
		await(t, why+": "+to.Name+" alone has the address", func() bool {
			return fmt.Sprint(to.addresses("e0")[1:], from.addresses("e0")[1:]) == "["+vip+"/32] []"
		})
		awaitKernel(t, peer, vip, mac)
		peer.Must("ping", "-q", "-c", "1", "-W", "10", vip)
		awaitKernel(t, peer, vip, mac)
	}

	first := startKeepalived(t, a, 150)
	startKeepalived(t, b, 100)
	await(t, "a has the address", func() bool { return len(a.addresses("e0")) == 2 })
	peer.Must("ping", "-q", "-c", "1", "-W", "10", vip)
	moved("start", a, b, macA)

	first.End(t, syscall.SIGTERM)
	moved("end of the first", b, a, macB)
	first = startKeepalived(t, a, 150)
	moved("return of the first", a, b, macA)

	lan.Must("ip", "link", "set", "a0", "down")
	moved("cable pulled", b, a, macB)
	lan.Must("ip", "link", "set", "a0", "up")
	moved("cable plugged in", a, b, macA)

	// It hangs: both have the address, and the one that took it has the traffic.
	vrrp := child(t, first)
	signal(t, vrrp, syscall.SIGSTOP)
	await(t, "b has the address, too", func() bool { return len(b.addresses("e0")) == 2 })
	awaitKernel(t, peer, vip, macB)
	if got := a.addresses("e0"); len(got) != 2 {
		t.Errorf("while keepalived hangs a has %v", got)
	}
	signal(t, vrrp, syscall.SIGCONT)
	moved("it goes on", a, b, macA)

	for i, h := range []*Host{a, b} {
		if got, want := h.addresses("e0")[0], fmt.Sprintf("192.0.2.%d/24", i+1); got != want {
			t.Errorf("%s has %s, want %s", h.Name, got, want)
		}
		if strings.Contains(daemons[i].Output(), "duplicate address") {
			t.Errorf("%s took an address down", h.Name)
		}
	}
}
