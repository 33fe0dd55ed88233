package cli

import (
	"context"
	"strings"

	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/lab"
)

type restoreCommand struct {
	RuntimeDir string   `help:"Where the daemon kept its records." placeholder:"DIR" default:"${runtimedir}"`
	Interfaces []string `arg:"" optional:"" name:"IFNAME" help:"Interfaces to restore; all of them if none is named."`
}

func (restoreCommand) Help() string {
	return `Every kernel setting, own address and route that a killed daemon left behind is put back as it was. Running it twice is harmless, and while a daemon lives it does nothing but say so.

Example:

    isat restore
`
}

// Run restores.
func (c restoreCommand) Run(ctx context.Context, a *app) error {
	if a.programs.Restore == nil {
		return needsLinux("restoring the kernel's settings")
	}
	return a.programs.Restore(ctx, RestoreOptions{
		Interfaces: c.Interfaces, RuntimeDir: c.RuntimeDir, Stdout: a.stdout, Log: a.logger(),
	})
}

// vars are the defaults that help texts show.
func vars() map[string]string {
	return map[string]string{
		"config": config.Path, "runtimedir": config.Default().Daemon.RuntimeDir, "scenarios": strings.Join(lab.Names(), ", "),
	}
}
