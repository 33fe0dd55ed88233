package daemon

import (
	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/mib"
)

// Sysctls implements the API.
func (d *Daemon) Sysctls(ifname string) ([]api.SysctlNode, error) {
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
	n, err := d.mib.Node(name)
	if err != nil {
		return api.SysctlNode{}, err
	}
	return d.node(n, ifname)
}

// SetSysctl implements the API.
func (d *Daemon) SetSysctl(name, ifname string, value int64) (api.SysctlNode, error) {
	if err := config.CheckNode(name, ifname, value); err != nil {
		return api.SysctlNode{}, err
	}
	if err := d.mib.Set(name, ifname, value); err != nil {
		return api.SysctlNode{}, err
	}
	d.takeover.Reconfigure()
	return d.Sysctl(name, ifname)
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
