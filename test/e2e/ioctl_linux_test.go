package e2e

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// TestIoctlSocket has the daemon's own table changed by ioctls, on an interface
// that it took over, where the kernel has to follow, and on a host of its own,
// which the kernel knows nothing of.
func TestIoctlSocket(t *testing.T) {
	for name, tt := range map[string]struct {
		config, ifname string
		listed         bool // by the kernel
	}{
		"kernel": {standard, "e0", true},
		"tun":    {tunConfig, "isat0", false},
	} {
		t.Run(name, func(t *testing.T) {
			var d *ISAT
			var isat *Host
			if tt.listed {
				isat, _ = NewPair(t)
				isat.Must("ip", "link", "add", "r0", "type", "veth", "peer", "name", "r1")
				isat.Must("ip", "link", "set", "r0", "up")
				isat.Must("ip", "route", "add", "192.0.2.78", "dev", "r0")
				isat.Sysctl("net.ipv4.ip_forward", 1)
				isat.Must("ip", "neigh", "add", "proxy", "192.0.2.78", "dev", "e0")
				d = StartISAT(t, isat, tt.config)
			} else {
				d, isat, _ = newTUN(t, tt.config)
			}
			var c *ioctl.Conn
			dial := func() (err error) { c, err = ioctl.Dial(d.path("ioctl.sock")); return err }
			if err := isat.NS.Do(dial); err != nil {
				t.Fatal(err)
			}
			defer c.Close()

			mac := lladdr.MustParse(askerMAC)
			x := ioctl.XARPReq{Family: ioctl.AFInet, IP: netip.MustParseAddr(askerIP), Flags: ioctl.Permanent | ioctl.Authority}
			if err := x.Hardware.Fill("", mac); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do(ioctl.SIOCSXARP, ioctl.AFInet, x.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
			if e, ok := d.Entry(tt.ifname, askerIP); !ok || string(e.MAC) != askerMAC || !e.Permanent || !e.Authority || e.Origin != "administrator" {
				t.Errorf("the entry is %+v, %v", e, ok)
			}
			if tt.listed {
				await(t, "the kernel has the entry", func() bool { n, ok := isat.Neighbour("e0", askerIP); return ok && n.MAC == askerMAC })
			}
			got, err := c.Do(ioctl.SIOCGXARP, ioctl.AFInet, x.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			back, _ := ioctl.ParseXARPReq(got)
			if of, _ := back.Hardware.Name(); of != tt.ifname || back.Flags != ioctl.InUse|ioctl.Complete|ioctl.Permanent|ioctl.Authority {
				t.Errorf("GET is of %q with flags %#x", of, back.Flags)
			}
			lines, err := c.Do(ioctl.Table, ioctl.AFInet, nil)
			if err != nil || strings.Contains(string(lines), askerIP) == tt.listed {
				t.Errorf("what the kernel does not list is %q, %v", lines, err)
			}
			a := ioctl.ARPReq{Family: ioctl.AFInet, IP: x.IP}
			if _, err := c.Do(ioctl.SIOCDARP, ioctl.AFInet, a.AppendTo(nil)); err != nil {
				t.Error(err)
			}
			if _, err := c.Do(ioctl.SIOCGARP, ioctl.AFInet, a.AppendTo(nil)); !errors.Is(err, syscall.ENXIO) {
				t.Errorf("GET after DELETE: %v, want ENXIO", err)
			}
			a.IP = netip.MustParseAddr(isatIP)
			if _, err := c.Do(ioctl.SIOCDARP, ioctl.AFInet, a.AppendTo(nil)); !errors.Is(err, syscall.ENOTSUP) {
				t.Errorf("DELETE of an own address: %v, want ENOTSUP", err)
			}

			if tt.listed {
				const ours, kernels = "192.0.2.77", "192.0.2.78"
				if _, ok := d.Entry("e0", kernels); !ok {
					t.Error("isat does not know the kernel's proxy")
				}
				must(t, d, "arp", "-s", ours, "auto", "pub", "only")
				lines, err := c.Do(ioctl.Table, ioctl.AFInet, nil) // the end of the first table
				if err == nil && len(lines) == 0 {
					lines, err = c.Do(ioctl.Table, ioctl.AFInet, nil)
				}
				if err != nil || !strings.Contains(string(lines), ours) || strings.Contains(string(lines), kernels) {
					t.Errorf("of %s, ours, and %s, the kernel's, the kernel does not list %q, %v", ours, kernels, lines, err)
				}
			}

			// The test itself is in another namespace.
			if err := dial(); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Do(ioctl.SIOCGARP, ioctl.AFInet, a.AppendTo(nil)); !errors.Is(err, syscall.ENXIO) {
				t.Errorf("GET from another namespace: %v, want ENXIO", err)
			}
		})
	}
}
