package cli

import (
	"context"
	"fmt"

	"github.com/isat-project/isat/internal/daemon"
	"github.com/isat-project/isat/internal/takeover"
)

// addLinux adds the parts that need Linux.
func addLinux(p *Programs) {
	p.Run = func(ctx context.Context, o RunOptions) error {
		return daemon.Run(ctx, daemon.Options{
			Config: o.Config, ConfigPath: o.ConfigPath, Interfaces: o.Interfaces, Socket: o.Socket,
			Observe: o.Observe, Version: o.Version, Log: o.Log,
		})
	}
	p.Restore = func(ctx context.Context, o RestoreOptions) error {
		return takeover.Restore(ctx, o.RuntimeDir, o.Interfaces, func(line string) { fmt.Fprintln(o.Stdout, line) })
	}
}
