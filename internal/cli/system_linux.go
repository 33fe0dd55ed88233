package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/isat-project/isat/internal/daemon"
	"github.com/isat-project/isat/internal/takeover"
)

// gcPercent is how much garbage the daemon lets lie, in percent of what it uses, if
// GOGC does not say otherwise. With Go's 100 ten thousand addresses at once take 36 MiB,
// and they may take 32 (issue 4); with 50 it is 30, and the time is the same
// (docs/performance.md).
const gcPercent = 50

// addLinux adds the parts that need Linux.
func addLinux(p *Programs) {
	p.Run = func(ctx context.Context, o RunOptions) error {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(gcPercent)
		}
		return daemon.Run(ctx, daemon.Options{
			Config: o.Config, ConfigPath: o.ConfigPath, Interfaces: o.Interfaces, Socket: o.Socket,
			Observe: o.Observe, Version: o.Version, Log: o.Log,
		})
	}
	p.Restore = func(ctx context.Context, o RestoreOptions) error {
		return takeover.Restore(ctx, o.RuntimeDir, o.Interfaces, func(line string) { fmt.Fprintln(o.Stdout, line) })
	}
}
