package cli

import (
	"context"

	"github.com/isat-project/isat/internal/config"
)

type watchCommand struct {
	Interfaces []string `arg:"" name:"IFNAME" help:"Interfaces to observe."`
}

func (watchCommand) Help() string {
	return `Diagnostics and events tell what goes on; no setting of the host changes, and no frame is sent.

Example:

    isat watch eth0
`
}

// Run runs the daemon as an observer.
func (c watchCommand) Run(ctx context.Context, a *app) error {
	return a.run(ctx, RunOptions{
		Config:     config.Default().With(config.Observe, c.Interfaces...),
		Interfaces: c.Interfaces,
		Observe:    true,
	})
}
