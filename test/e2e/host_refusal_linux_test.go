package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// runISAT runs the daemon on the host with arguments, such as the names of
// interfaces, until it ends by itself, which it has to.
func (h *Host) runISAT(dir string, args ...string) Result {
	h.t.Helper()
	return h.Run(append([]string{program(h.t), "--socket", dir + "/sock", "run"}, args...)...)
}

// runConfigured is runISAT with a configuration.
func (h *Host) runConfigured(dir, config string, wrapper ...string) Result {
	h.t.Helper()
	d := &mortal{host: h, dir: dir}
	d.write(h.t, config)
	return h.Run(append(wrapper, program(h.t), "--socket", dir+"/sock", "run", "--config", dir+"/toml")...)
}

// checkRefused checks that the daemon has refused to start with one line that has
// all of words, and that nothing was touched.
func checkRefused(t *testing.T, h *Host, r Result, before string, words ...string) {
	t.Helper()
	if r.Code != 1 || strings.Count(r.Stderr, "\n") != 1 || !strings.HasPrefix(r.Stderr, "isat: ") {
		t.Errorf("exit status %d, want 1 and one line: %s", r.Code, r.Stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.Stderr, w) {
			t.Errorf("the error does not say %q: %s", w, r.Stderr)
		}
	}
	h.SameDump("after a refusal", before)
}

// TestHostRefuses names an interface that isat cannot take over: a clear error,
// and nothing is touched.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ifname string
		setup  func(h *Host)
		words  []string
	}{
		{name: "absent", ifname: "nosuch0", words: []string{"nosuch0", "no such interface"}},
		{name: "loopback", ifname: "lo", words: []string{"lo", "loopback"}},
		{name: "bridge port", ifname: "e0", words: []string{"e0", "bridge", "br7", "instead"}, setup: func(h *Host) {
			h.Must("ip", "link", "add", "br7", "type", "bridge")
			h.Must("ip", "link", "set", "e0", "master", "br7")
		}},
		{name: "tun", ifname: "t0", words: []string{"t0", "Ethernet"}, setup: func(h *Host) {
			h.Must("ip", "tuntap", "add", "t0", "mode", "tun")
		}},
		{name: "arp off", ifname: "e0", words: []string{"e0", "ip link set e0 arp on"}, setup: func(h *Host) {
			h.Must("ip", "link", "set", "e0", "arp", "off")
		}},
		{name: "proxy_arp_pvlan", ifname: "e0", words: []string{"e0", "proxy_arp_pvlan", "net.ipv4.conf.e0.proxy_arp_pvlan=0"}, setup: func(h *Host) {
			h.Sysctl("net.ipv4.conf.e0.proxy_arp_pvlan", 1)
		}},
		{name: "arp_filter of all", ifname: "e0", words: []string{"e0", "arp_filter"}, setup: func(h *Host) {
			h.Sysctl("net.ipv4.conf.all.arp_filter", 1)
		}},
		{name: "arp_filter", ifname: "e0", words: []string{"e0", "arp_filter"}, setup: func(h *Host) {
			h.Sysctl("net.ipv4.conf.e0.arp_filter", 1)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			isat, _ := NewPair(t)
			if tt.setup != nil {
				tt.setup(isat)
			}
			before := isat.Dump()
			dir := t.TempDir()
			checkRefused(t, isat, isat.runISAT(dir, tt.ifname), before, tt.words...)
			if tt.name == "absent" {
				return // a configuration may name what comes later
			}
			checkRefused(t, isat, isat.runConfigured(dir, strings.ReplaceAll(standard, "e0", tt.ifname)), before, tt.words...)

			// A running daemon says so, too, and goes on.
			d := StartISAT(t, isat, strings.ReplaceAll(standard, "e0", "later*"))
			if r := d.Tool("take", tt.ifname); r.Code != 1 || !strings.Contains(r.Stderr, tt.words[len(tt.words)-1]) {
				t.Errorf("isat take: %+v", r)
			}
			isat.SameDump("after isat take", before)
		})
	}
}

// TestHostWaits starts with an interface that is not there: a configuration may
// name it, and it is taken over when it comes.
func TestHostWaits(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	d := StartISAT(t, isat, standard)
	if s, err := d.API.Status(t.Context()); err != nil || len(s.Interfaces) != 1 || s.Interfaces[0].State != "absent" {
		t.Errorf("isat status: %+v, %v", s.Interfaces, err)
	}
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	await(t, "isat does ARP on e0", func() bool { return d.Said("isat: does ARP on e0 now") == 1 })
	checkTaken(t, isat, "e0")
	peer.Must("ping", "-c", "1", "-W", "5", isatIP)
}

// TestHostSecondDaemon starts another daemon in the same namespace: it names the
// first one's process and touches nothing. In another namespace it may run.
func TestHostSecondDaemon(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	during := isat.Dump()
	r := isat.runISAT(t.TempDir(), "e0")
	checkRefused(t, isat, r, during, "already", fmt.Sprint(d.Pid))
	StartISAT(t, peer, standard)
	peer.Must("ping", "-c", "1", isatIP)
}

// TestHostCapabilities takes a capability away: the error names it and how to
// grant it.
func TestHostCapabilities(t *testing.T) {
	t.Parallel()
	need(t, "setpriv")
	for _, c := range []string{"net_admin", "net_raw"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			isat, _ := NewPair(t)
			before := isat.Dump()
			r := isat.runConfigured(t.TempDir(), standard, "setpriv", "--bounding-set=-"+c, "--inh-caps=-"+c)
			checkRefused(t, isat, r, before, "CAP_"+strings.ToUpper(c), "as root", "setcap")
		})
	}
}
