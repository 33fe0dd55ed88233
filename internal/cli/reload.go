package cli

import (
	"context"
	"fmt"
)

type reloadCommand struct{}

func (reloadCommand) Help() string {
	return `The same as SIGHUP, but it says what changed or what is wrong. A bad file changes nothing.

Example:

    isat reload
`
}

// Run asks the daemon to reload.
func (reloadCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	changes, err := client.Reload(ctx)
	if err != nil {
		return a.explain(err, "reloading")
	}
	if len(changes) == 0 {
		fmt.Fprintln(a.stdout, "nothing changed")
	}
	for _, line := range changes {
		fmt.Fprintln(a.stdout, line)
	}
	return nil
}
