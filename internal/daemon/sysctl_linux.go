package daemon

import (
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/datapath"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/mib"
)

// Sysctls implements the API.
func (d *Daemon) Sysctls(ifname string) ([]api.SysctlNode, error) {
	if err := d.checkKnown(ifname); err != nil {
		return nil, err
	}
	var all []api.SysctlNode
	for _, n := range d.mib.Nodes() {
		if ifname != "" && n.ReadOnly {
			continue // counters are those of the whole host
		}
		node, err := d.node(n, ifname)
		if err != nil {
			return nil, err
		}
		all = append(all, node)
	}
	return all, nil
}

// Sysctl implements the API.
func (d *Daemon) Sysctl(name, ifname string) (api.SysctlNode, error) {
	if err := d.checkKnown(ifname); err != nil {
		return api.SysctlNode{}, err
	}
	n, err := d.mib.Node(name)
	if err != nil {
		return api.SysctlNode{}, err
	}
	return d.node(n, ifname)
}

// SetSysctl implements the API.
func (d *Daemon) SetSysctl(name, ifname string, value int64) (api.SysctlNode, error) {
	if err := d.checkKnown(ifname); err != nil {
		return api.SysctlNode{}, err
	}
	if err := config.CheckNode(name, value); err != nil {
		return api.SysctlNode{}, err
	}
	if err := d.mib.Set(name, ifname, value); err != nil {
		return api.SysctlNode{}, err
	}
	d.takeover.Reconfigure()
	return d.Sysctl(name, ifname)
}

// ResetSysctl implements the API.
func (d *Daemon) ResetSysctl(name, ifname string) (api.SysctlNode, error) {
	if err := d.checkKnown(ifname); err != nil {
		return api.SysctlNode{}, err
	}
	if err := d.resetTunable(name, ifname); err != nil {
		return api.SysctlNode{}, err
	}
	d.takeover.Reconfigure()
	return d.Sysctl(name, ifname)
}

// resetTunable gives a node the value that it would have after a restart: that of
// the configuration, else that of the whole host, or the default.
func (d *Daemon) resetTunable(name, ifname string) error {
	d.mu.Lock() // so that the configuration is not replaced meanwhile
	defer d.mu.Unlock()
	values := d.config.Sysctl
	if ifname != "" {
		i, _ := d.config.Match(ifname)
		values = i.Sysctl
	}
	if value, ok := values[name]; ok {
		return d.mib.Set(name, ifname, value)
	}
	return d.mib.Reset(name, ifname)
}

// checkKnown returns an error that wraps ENXIO if ifname is neither "" nor one of
// the interfaces that [Daemon.Interfaces] has: the tree takes a value for any name,
// so that nobody would see that it is misspelt.
func (d *Daemon) checkKnown(ifname string) error {
	known := ifname == "" ||
		slices.ContainsFunc(d.takeover.Status(), func(s takeover.Status) bool { return s.Name == ifname }) ||
		slices.ContainsFunc(d.hosts.Status(), func(s datapath.Status) bool { return s.Name == ifname })
	if known {
		return nil
	}
	return unknown(ifname)
}

// unknown returns why isat does no ARP on an interface that it does not know, and
// what to do. It wraps ENXIO.
func unknown(ifname string) error {
	if _, err := net.InterfaceByName(ifname); err != nil {
		return fmt.Errorf("no such interface: \"isat status\" lists those that isat knows: %w", syscall.ENXIO)
	}
	return fmt.Errorf("not taken over: \"isat take %s\" does that: %w", ifname, syscall.ENXIO)
}

func (d *Daemon) node(n mib.Node, ifname string) (api.SysctlNode, error) {
	value, err := d.mib.Get(n.Name, ifname)
	if err != nil {
		return api.SysctlNode{}, err
	}
	unit := ""
	switch n.Unit {
	case mib.Seconds:
		unit = "seconds"
	case mib.Milliseconds:
		unit = "milliseconds"
	}
	return api.SysctlNode{
		Name: n.Name, Interface: ifname, Value: value, Default: n.Default, Min: n.Min, Max: n.Max, Unit: unit,
		ReadOnly: n.ReadOnly, IsSet: d.mib.IsSet(n.Name, ifname), Description: n.Description,
	}, nil
}
