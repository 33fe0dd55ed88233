package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/datapath"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/link"
)

// openHosts makes the manager of the hosts of their own.
func (d *Daemon) openHosts() error {
	var err error
	d.hosts, err = datapath.Open(datapath.Options{
		Host: d.host, Guard: d.takeover, Addressing: d.takeover, Log: d.log,
		Absent:  func(err error) bool { return errors.Is(err, takeover.ErrAbsent) },
		Arrived: d.takeover.Arrived, Leaving: d.takeover.Leaving,
	})
	if err == nil {
		d.takeover.Watch(d.hosts.Changed)
	}
	return err
}

// hostSpecs returns the hosts of their own that a configuration has, by name.
func hostSpecs(c config.Config) map[string]datapath.Spec {
	all := make(map[string]datapath.Spec)
	for _, i := range c.Interfaces {
		if i.Datapath == config.TUN {
			all[i.Name] = datapath.Spec{
				Name: i.Name, Port: i.Port, Framing: i.Medium.Framing(), MAC: i.MAC, MTU: i.MTU,
				Addresses: i.Addresses, Gateway: i.Gateway, Mode: mode(i.ARP),
				DAD: i.DAD, Down: down(i.Down), Reprobe: reprobe(i.Reprobe),
			}
		}
	}
	return all
}

// mode returns how much ARP is done.
func mode(m config.Mode) host.Mode {
	switch m {
	case config.Static:
		return host.Static
	case config.Off:
		return host.Off
	}
	return host.On
}

// ofHost reports whether an interface is the device or the port of a host of its
// own, so that no pattern means it.
func ofHost(c config.Config, name string) bool {
	for _, s := range hostSpecs(c) {
		kind, port, _ := strings.Cut(s.Port, ":")
		if s.Name == name || kind != "cable" && port == name {
			return true
		}
	}
	return false
}

// checkHosts returns why the hosts of a configuration cannot be made. Those that
// are there need no check.
func (d *Daemon) checkHosts(c config.Config) error {
	present := d.presentHosts()
	for name, spec := range hostSpecs(c) {
		if s, ok := present[name]; ok && s.Adjustable(spec) {
			continue
		}
		if err := d.hosts.Check(spec); err != nil {
			return err
		}
	}
	return nil
}

// presentHosts returns what is there, or waited for.
func (d *Daemon) presentHosts() map[string]datapath.Spec {
	all := make(map[string]datapath.Spec)
	for _, s := range d.hosts.Status() {
		all[s.Name] = s.Spec
	}
	return all
}

// removeHosts takes the hosts away that a configuration does not have, or has
// otherwise. Where only the treatment of own addresses is another one, that is
// changed in place.
func (d *Daemon) removeHosts(c config.Config) error {
	want := hostSpecs(c)
	for name, spec := range d.presentHosts() {
		if w, ok := want[name]; ok && w.Adjustable(spec) {
			if !w.Equal(spec) {
				d.hosts.Adjust(w)
			}
			continue
		}
		if err := d.hosts.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// addHosts makes the hosts of a configuration that are not there.
func (d *Daemon) addHosts(c config.Config) error {
	present := d.presentHosts()
	for _, i := range c.Interfaces {
		if _, ok := present[i.Name]; ok || i.Datapath != config.TUN {
			continue
		}
		if err := d.hosts.Add(hostSpecs(c)[i.Name]); err != nil {
			return err
		}
	}
	return nil
}

// hostInterface returns a host of its own as the API has it.
func hostInterface(s datapath.Status, entries int) api.Interface {
	i := api.Interface{
		Name: s.Name, Index: s.Index, MAC: api.MAC(s.PortMAC.String()), Medium: medium(s.Framing), MTU: s.MTU,
		Datapath: "tun", Port: s.Port, ARP: s.Mode.String(), DAD: s.DAD, Since: s.Since,
		Guarded: strings.HasPrefix(s.Port, "packet:") && s.Host != nil, Addresses: []api.InterfaceAddr{}, Entries: entries,
	}
	i.State, i.Error = state(s.Host, s.Err)
	if s.Host != nil {
		i.Packets = hostPackets(s)
		i.Addresses, i.Published = ownAddresses(s.Host, s.DAD), publications(s.Host)
	}
	return i
}

// hostPackets returns what became of the packets of a host of its own.
func hostPackets(s datapath.Status) map[string]uint64 {
	return map[string]uint64{
		"sent":       s.Device.Read, // by programs
		"delivered":  s.Device.Written,
		"ignored":    s.Device.Ignored,
		"broken":     s.Device.Broken,
		"refused":    s.Device.Refused,
		"queue_full": s.Queue,
		"overflow":   s.PortStats.Overflow,
		"malformed":  s.Malformed,
		"fragmented": s.Fragmented,
		"too_long":   s.TooLong,
	}
}

// medium returns the name of a framing.
func medium(f link.Framing) string {
	switch f {
	case link.TokenRing{}:
		return string(config.TokenRing)
	case link.ARCnet{}:
		return string(config.ARCnet)
	}
	return string(config.Ethernet)
}

// hostHop returns whom to ask for an address that the kernel routes to a host of
// its own.
func hostHop(ifc *host.Interface, ip netip.Addr) (*host.Interface, netip.Addr, bool, error) {
	next, gateway, err := ifc.NextHop(ip)
	if err == nil && !next.IsValid() {
		err = fmt.Errorf("resolving %v: a blackhole route: %w", ip, syscall.EHOSTUNREACH)
	}
	return ifc, next, gateway, err
}
