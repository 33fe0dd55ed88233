package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/isat-project/isat/internal/lab"
)

type labCommand struct {
	Once      bool     `help:"Play the scenarios and end; else the lab stays up."`
	JSON      bool     `name:"json" help:"Tell the story as JSON, one object a line."`
	Require   string   `help:"With 'all', a scenario that this machine forbids is a failure." enum:",all" default:"" placeholder:"all"`
	Pcap      string   `help:"Record what each scenario sends to DIR/SCENARIO.pcap; media to one file a medium." placeholder:"DIR"`
	Scenarios []string `arg:"" optional:"" name:"SCENARIO" help:"Scenarios to play: ${scenarios}. With --once all of them if none is named."`
}

func (labCommand) Help() string {
	return `The lab is a private LAN of network namespaces with real Linux kernel peers. It needs no root and touches nothing outside. Without --once it prints the path of a socket for the other commands.

Examples:

    isat lab --once
    isat lab --once --require all resolve age
`
}

// Run plays the lab.
func (c labCommand) Run(ctx context.Context, a *app) error {
	if a.programs.Lab == nil {
		return needsLinux("starting the lab")
	}
	for _, name := range c.Scenarios {
		if !slices.Contains(lab.Names(), name) {
			return usageError{fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(lab.Names(), ", "))}
		}
	}
	ok, err := a.programs.Lab(ctx, LabOptions{
		Once: c.Once, JSON: c.JSON, RequireAll: c.Require == "all", Scenarios: c.Scenarios, Pcap: c.Pcap,
		Stdout: a.stdout, Stderr: a.stderr, Log: a.logger(),
	})
	switch {
	case err != nil:
		return fmt.Errorf("running the lab: %w", err)
	case !ok:
		return errTold // the lab has told which scenario failed
	}
	return nil
}
