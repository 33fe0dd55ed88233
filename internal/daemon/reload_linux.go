package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/takeover"
)

// serveReloads reads the configuration again at each signal.
func (d *Daemon) serveReloads(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		d.reloading()
		result, err := d.Reload(ctx)
		if err != nil {
			d.log.Error(err.Error())
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
// not change is not disturbed. A bad file, or an interface in it that cannot be
// taken over, or an entry that cannot be set, is an error and nothing has changed.
func (d *Daemon) Reload(context.Context) (api.ReloadResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next, err := d.next()
	if err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading, nothing is changed: %w", err)
	}
	changes := config.Diff(d.config, next)
	if err := d.replace(d.config, next); err != nil {
		return api.ReloadResult{}, fmt.Errorf("reloading, a part is changed: %w", err)
	}
	d.config = next
	if changes == nil {
		changes = []string{}
	}
	return api.ReloadResult{Changes: changes}, nil
}

// next reads the configuration and finds out whether it can be carried out.
func (d *Daemon) next() (config.Config, error) {
	if d.options.ConfigPath == "" {
		return config.Config{}, fmt.Errorf("the daemon was started without a configuration file: %w", syscall.EINVAL)
	}
	next, err := config.Load(d.options.ConfigPath)
	if err != nil {
		return config.Config{}, fmt.Errorf("%w: %w", err, syscall.EINVAL)
	}
	kind := config.Kernel
	if d.options.Observe {
		kind = config.Observe
	}
	next = next.With(kind, d.options.Interfaces...)
	if len(next.Interfaces) == 0 {
		return config.Config{}, fmt.Errorf("%s has no [[interface]]: %w", d.options.ConfigPath, syscall.EINVAL)
	}
	for _, i := range next.Interfaces {
		spec, ok := d.spec(next, i.Name)
		if i.IsPattern() || !ok {
			continue
		}
		if err := d.takeover.Check(spec); err != nil && !errors.Is(err, takeover.ErrAbsent) {
			return config.Config{}, err
		}
	}
	if err := d.checkHosts(next); err != nil {
		return config.Config{}, err
	}
	if err := d.takeover.CheckStand(entries(next)); err != nil {
		return config.Config{}, err
	}
	return next, nil
}

// replace carries a configuration out in place of an older one.
func (d *Daemon) replace(old, new config.Config) error {
	if err := d.setTunables(old, new); err != nil {
		return err
	}
	if err := d.proxies.configure(old, new); err != nil {
		return err
	}
	d.takeover.Reconfigure()
	d.takeover.SetPolicies(policies(new))
	if err := d.release(old, new); err != nil {
		return err
	}
	return d.apply(new)
}

// release hands back the interfaces that the new configuration does not want, or
// wants otherwise. Those that were taken by hand stay, and where only the treatment
// of own addresses is another one, that is changed in place.
func (d *Daemon) release(old, new config.Config) error {
	for _, s := range d.takeover.Status() {
		before, was := d.spec(old, s.Name)
		after, is := d.spec(new, s.Name)
		if !was || is && before == after {
			continue
		}
		if is && before.Adjustable(after) {
			d.takeover.Adjust(after)
			continue
		}
		if err := d.takeover.Drop(s.Name); err != nil {
			return err
		}
	}
	return d.removeHosts(new)
}
