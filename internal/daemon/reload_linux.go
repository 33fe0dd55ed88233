package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/config"
)

// serveSignals reads the configuration again at each SIGHUP.
func (d *Daemon) serveSignals(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		d.reloading()
		result, err := d.Reload(ctx)
		if err != nil {
			d.log.Error("reloading: nothing changed", "error", err)
		} else if len(result.Changes) == 0 {
			d.log.Info("reloaded: nothing is different")
		}
		for _, line := range result.Changes {
			d.log.Info("reloaded: " + line)
		}
		d.ready()
	}
}

// Reload reads the configuration again and makes it the one in force. What did
// not change is not disturbed. After an error in the file nothing has changed.
func (d *Daemon) Reload(context.Context) (api.ReloadResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.options.ConfigPath == "" {
		return api.ReloadResult{}, fmt.Errorf("reloading: the daemon was started without a configuration file: %w", syscall.EINVAL)
	}
	next, err := config.Load(d.options.ConfigPath)
	if err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading: %w: %w", err, syscall.EINVAL)
	}
	kind := config.Kernel
	if d.options.Observe {
		kind = config.Observe
	}
	next = next.With(kind, d.options.Interfaces...)
	changes := config.Diff(d.config, next)
	if err := d.setTunables(d.config, next); err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading: %w", err)
	}
	if err := d.release(d.config, next); err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading: %w", err)
	}
	if err := d.apply(next); err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading: %w", err)
	}
	d.config = next
	if changes == nil {
		changes = []string{}
	}
	return api.ReloadResult{Changes: changes}, nil
}

// release hands back the interfaces that the new configuration does not want, or
// wants otherwise. Those that were taken by hand stay.
func (d *Daemon) release(old, new config.Config) error {
	for _, s := range d.takeover.Status() {
		before, was := d.spec(old, s.Name)
		after, is := d.spec(new, s.Name)
		if !was || is && before == after {
			continue
		}
		if err := d.takeover.Release(s.Name); err != nil {
			return err
		}
	}
	return nil
}
