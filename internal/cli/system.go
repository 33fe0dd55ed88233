package cli

import (
	"context"

	"github.com/isat-project/isat/internal/lab"
)

// System returns the parts of isat that this system can run.
func System() Programs {
	p := Programs{Lab: runLab}
	addLinux(&p)
	return p
}

func runLab(ctx context.Context, o LabOptions) (bool, error) {
	return lab.Run(ctx, lab.Options{
		Once: o.Once, JSON: o.JSON, RequireAll: o.RequireAll, Scenarios: o.Scenarios, Pcap: o.Pcap,
		Stdout: o.Stdout, Stderr: o.Stderr,
	})
}
