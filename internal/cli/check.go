package cli

import (
	"errors"
	"fmt"

	"github.com/isat-project/isat/internal/config"
)

type checkCommand struct {
	Config string `help:"The configuration." placeholder:"FILE" default:"${config}"`
}

func (checkCommand) Help() string {
	return `Every problem is told with file and line. What is only doubtful, such as an interface that does not exist yet, is told as a warning and does not fail.

Example:

    isat check --config /etc/isat/isat.toml
`
}

// Run reads the file and tells what is wrong with it.
func (c checkCommand) Run(a *app) error {
	parsed, err := load(c.Config)
	var problems config.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(a.stderr, problems.Error())
		return errTold
	}
	if err != nil {
		return err
	}
	present, err := a.interfaces()
	if err != nil {
		return fmt.Errorf("listing the interfaces: %w", err)
	}
	for _, w := range parsed.Warnings(c.Config, present) {
		fmt.Fprintf(a.stderr, "%s:%d: warning: %s\n", w.File, w.Line, w.Text)
	}
	fmt.Fprintf(a.stdout, "%s: valid\n", c.Config)
	return nil
}
