package cli

import (
	"context"
	"fmt"
)

type takeCommand struct {
	Interfaces []string `arg:"" name:"IFNAME" help:"Interfaces to take over."`
}

func (takeCommand) Help() string {
	return `The settings are those that the daemon's configuration has for the interface, else the defaults.

Example:

    isat take eth0
`
}

// Run takes one interface after the other; one that fails does not keep the
// others from being taken.
func (c takeCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	var failed error
	for _, name := range c.Interfaces {
		i, err := client.Take(ctx, name)
		if err != nil {
			a.tell("isat", a.explain(err, "taking %s over", name))
			failed = errTold
			continue
		}
		for _, warning := range i.Warnings {
			fmt.Fprintf(a.stderr, "isat: %s: %s\n", name, warning)
		}
	}
	return failed
}
