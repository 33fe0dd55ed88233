package cli

import "context"

type releaseCommand struct {
	Interfaces []string `arg:"" name:"IFNAME" help:"Interfaces to hand back."`
}

func (releaseCommand) Help() string {
	return `Every setting of the interface is put back as it was; the kernel does ARP there again. The daemon goes on.

Example:

    isat release eth0
`
}

// Run hands one interface after the other back, as [takeCommand.Run] takes them.
func (c releaseCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	var failed error
	for _, name := range c.Interfaces {
		if err := client.Release(ctx, name); err != nil {
			a.tell("isat", a.explain(err, "handing %s back", name))
			failed = errTold
		}
	}
	return failed
}
