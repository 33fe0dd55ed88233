package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/isat-project/isat/internal/config"
)

type runCommand struct {
	Config     string   `help:"The configuration; /etc/isat/isat.toml if there is no IFNAME either." placeholder:"FILE"`
	Interfaces []string `arg:"" optional:"" name:"IFNAME" help:"Interfaces to take over with default settings."`
}

func (runCommand) Help() string {
	return `From now on the kernel forwards, and isat does every bit of ARP on the interfaces. At the end, by SIGINT or SIGTERM, they are handed back as they were. SIGHUP reads the configuration again.

Examples:

    isat run eth0
    isat run --config /etc/isat/isat.toml
`
}

// Run reads the configuration and runs the daemon with it.
func (c runCommand) Run(ctx context.Context, a *app) error {
	o := RunOptions{ConfigPath: c.Config, Interfaces: c.Interfaces}
	if c.Config == "" && len(c.Interfaces) == 0 {
		o.ConfigPath = config.Path
	}
	o.Config = config.Default()
	if o.ConfigPath != "" {
		var err error
		if o.Config, err = load(o.ConfigPath); err != nil {
			return err
		}
	}
	o.Config = o.Config.With(config.Kernel, c.Interfaces...)
	if len(o.Config.Interfaces) == 0 {
		return fmt.Errorf("reading the configuration: %s has no [[interface]]: name one there or on the command line", o.ConfigPath)
	}
	if o.ConfigPath != "" {
		path, err := filepath.Abs(o.ConfigPath)
		if err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
		o.ConfigPath = path
	}
	return a.run(ctx, o)
}

// run runs the daemon with options that lack only what is the same for all.
func (a *app) run(ctx context.Context, o RunOptions) error {
	if a.programs.Run == nil {
		return needsLinux("running the daemon")
	}
	if err := a.mustExist(o.Interfaces); err != nil {
		return err
	}
	o.Socket, o.Version, o.Log = a.socket, version(), a.logger()
	return a.programs.Run(ctx, o)
}

// mustExist returns an error that names the interfaces that this host lacks.
func (a *app) mustExist(names []string) error {
	if len(names) == 0 {
		return nil
	}
	present, err := a.interfaces()
	if err != nil {
		return fmt.Errorf("listing the interfaces: %w", err)
	}
	var missing []error
	for _, name := range names {
		if !slices.Contains(present, name) {
			missing = append(missing, fmt.Errorf("taking %s over: no such interface", name))
		}
	}
	return errors.Join(missing...)
}

// load reads a configuration. The lines of its error are those of the problems.
func load(path string) (config.Config, error) {
	c, err := config.Load(path)
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return c, fmt.Errorf("%w: name one with --config", err)
	}
	return c, err
}
