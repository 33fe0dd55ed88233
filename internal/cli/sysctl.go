package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/isat-project/isat/api"
)

type sysctlCommand struct {
	All       bool     `short:"a" help:"Show every node."`
	NoNames   bool     `short:"n" help:"Show values without names."`
	Interface string   `short:"i" help:"Show or set the interface's own values." placeholder:"IFNAME"`
	Nodes     []string `arg:"" optional:"" name:"NAME[=VALUE]" help:"A node or a branch of nodes to show, or a node to set, to its default for VALUE default."`
}

func (sysctlCommand) Help() string {
	return `The nodes have the names of FreeBSD's sysctl(8). A value out of range is refused and the old one stays. NAME=default undoes what was set: the node has the value of the configuration again, else the default or, on an interface, the value of the host.

Examples:

    isat sysctl net.link.ether.inet
    isat sysctl net.link.ether.inet.max_age=600
    isat sysctl -i eth0 net.link.ether.inet.maxtries=3
    isat sysctl -i eth0 net.link.ether.inet.maxtries=default
`
}

// Run does what each argument says, in their order, and goes on after one that
// fails.
func (c sysctlCommand) Run(ctx context.Context, a *app) error {
	if c.All == (len(c.Nodes) > 0) {
		return usageError{errors.New(`reading the command line: want either -a or a NAME: see "isat sysctl --help"`)}
	}
	client := a.client()
	defer client.Close()
	if c.All {
		return c.show(ctx, a, client, "")
	}
	var failed error
	for _, arg := range c.Nodes {
		name, value, set := strings.Cut(arg, "=")
		var err error
		if set {
			err = c.set(ctx, a, client, name, value)
		} else {
			err = c.show(ctx, a, client, name)
		}
		if err != nil {
			a.tell("isat", err)
			failed = errTold
		}
	}
	return failed
}

// show prints the node with the name, and those below it; all for "".
func (c sysctlCommand) show(ctx context.Context, a *app, client *api.Client, name string) error {
	nodes, err := client.Sysctls(ctx, c.Interface)
	if err != nil {
		return a.explain(err, "reading %s", c.subject(name))
	}
	found := false
	for _, n := range nodes {
		if name == "" || n.Name == name || strings.HasPrefix(n.Name, name+".") {
			found = true
			fmt.Fprintln(a.stdout, c.label(n.Name)+strconv.FormatInt(n.Value, 10))
		}
	}
	if !found && name != "" { // the daemon knows which name is the nearest
		_, err = client.Sysctl(ctx, name, c.Interface)
	}
	return a.explain(err, "reading %s", c.subject(name))
}

// set changes a node and prints both values, as FreeBSD's sysctl(8) does.
func (c sysctlCommand) set(ctx context.Context, a *app, client *api.Client, name, value string) error {
	v, err := strconv.ParseInt(value, 0, 64)
	reset := value == "default"
	if err != nil && !reset {
		return fmt.Errorf("setting %s: %q is neither an integer nor \"default\"", c.subject(name), value)
	}
	old, err := client.Sysctl(ctx, name, c.Interface)
	if err != nil {
		return a.explain(err, "setting %s", c.subject(name))
	}
	var new api.SysctlNode
	if reset {
		new, err = client.ResetSysctl(ctx, name, c.Interface)
	} else {
		new, err = client.SetSysctl(ctx, name, c.Interface, v)
	}
	if err != nil {
		return a.explain(err, "setting %s", c.subject(name))
	}
	fmt.Fprintf(a.stdout, "%s%d -> %d\n", c.label(name), old.Value, new.Value)
	return nil
}

func (c sysctlCommand) label(name string) string {
	if c.NoNames {
		return ""
	}
	return name + ": "
}

func (c sysctlCommand) subject(name string) string {
	if name == "" {
		name = "the tunables"
	}
	if c.Interface != "" {
		name += " of " + c.Interface
	}
	return name
}
