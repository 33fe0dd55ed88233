package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/netns"
	"github.com/isat-project/isat/lladdr"
)

// Patience with the daemon. They are bounds for a machine that is busy with other
// things, not what is expected.
const (
	startPatience = 15 * time.Second
	stopPatience  = 5 * time.Second
)

// daemon is isat's daemon: this program once more, as a child process in the
// namespace of a host. Its methods are for one goroutine.
type daemon struct {
	host   *lan.Host
	name   string // of the interface
	dir    string // for its socket, configuration and state
	log    *logBook
	client *api.Client

	process *netns.Process // nil until Start
}

// configured is what the daemon runs with. The runtime directory is the lab's own:
// nothing outside is written.
const configured = `[daemon]
socket = %q
runtime-dir = %q
state-dir = %q

[[interface]]
name = %q
datapath = "kernel"
`

// configuration is that of most scenarios. Detection of duplicates is off: their
// diagnostics are those of arp(4).
const configuration = configured + "dad = false\n"

// newDaemon prepares a daemon for the host with its files in dir. It does not
// start it.
func newDaemon(host *lan.Host, dir string, log *logBook) (*daemon, error) {
	return newDaemonWith(host, host.Interface(), dir, log, configuration)
}

// newDaemonWith is newDaemon for an interface and with a configuration in the form
// of [configuration].
func newDaemonWith(host *lan.Host, name, dir string, log *logBook, form string) (*daemon, error) {
	d := &daemon{host: host, name: name, dir: dir, log: log}
	for _, dir := range []string{d.path("run"), d.path("state")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making room for the daemon: %w", err)
		}
	}
	if err := d.configure(form); err != nil {
		return nil, err
	}
	d.client = api.NewClient(d.socket())
	return d, nil
}

func (d *daemon) configure(form string) error {
	text := fmt.Sprintf(form, d.socket(), d.path("run"), d.path("state"), d.name)
	if err := os.WriteFile(d.path("isat.toml"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("configuring the daemon: %w", err)
	}
	return nil
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

// socket is the daemon's HTTP socket, which processes outside can reach, too.
func (d *daemon) socket() string { return d.path("isat.sock") }

// Start starts the daemon and returns when it is in charge of the interface. It
// may be called again after the daemon has ended.
func (d *daemon) Start(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe", "run", "--socket", d.socket(), "--config", d.path("isat.toml"))
	cmd.Args[0] = "isat"
	cmd.Stdout, cmd.Stderr = d.log, d.log
	cmd.WaitDelay = stopPatience
	process, err := d.host.NS.Start(cmd)
	if err != nil {
		return err
	}
	d.process = process

	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		ready, err := d.InCharge(ctx)
		if ready {
			return nil
		}
		select {
		case <-process.Done():
			return fmt.Errorf("the daemon ended with %s: %s", exitText(process.Wait()), d.log.last())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the daemon is not ready after %v: %s", startPatience, d.log.last()), err)
		case <-time.After(pollInterval):
		}
	}
}

// exitText tells how a process ended, as exec.Cmd.Wait has it.
func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// Signal sends a signal. After SIGKILL and SIGSTOP it returns when the process has
// ended or stopped.
func (d *daemon) Signal(s syscall.Signal) error {
	send := d.process.Signal
	if s == syscall.SIGSTOP {
		send = func(syscall.Signal) error { return d.process.Stop() }
	}
	if err := send(s); err != nil {
		return fmt.Errorf("sending %v to the daemon: %w", s, err)
	}
	if s == syscall.SIGKILL {
		<-d.process.Done()
	}
	return nil
}

// InCharge reports whether the daemon answers and holds the interface.
func (d *daemon) InCharge(ctx context.Context) (bool, error) {
	i, err := d.Interface(ctx)
	return err == nil && i.Guarded && i.State == "up", err
}

// Interface returns what the daemon says of its interface, the zero Interface if
// that is nothing.
func (d *daemon) Interface(ctx context.Context) (api.Interface, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a stopped daemon accepts and says nothing
	defer cancel()
	interfaces, err := d.client.Interfaces(ctx)
	if err != nil {
		return api.Interface{}, err
	}
	for _, i := range interfaces {
		if i.Name == d.name {
			return i, nil
		}
	}
	return api.Interface{}, nil
}

// AddressState returns the state in which the daemon shows an own address, "" if it
// does not show it.
func (d *daemon) AddressState(ctx context.Context, ip netip.Addr) (string, error) {
	i, err := d.Interface(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the state of %v: %w", ip, err)
	}
	for _, a := range i.Addresses {
		if a.Prefix.Addr() == ip {
			return a.State, nil
		}
	}
	return "", nil
}

// Entry returns the MAC address the daemon has for ip, none if it has no entry.
func (d *daemon) Entry(ctx context.Context, ip netip.Addr) (lladdr.Addr, error) {
	entries, err := d.client.Entries(ctx, api.EntryFilter{Interface: d.name, IP: ip})
	if err != nil {
		return lladdr.Addr{}, fmt.Errorf("reading the entry of %v: %w", ip, err)
	}
	if len(entries) == 0 || entries[0].MAC == "" {
		return lladdr.Addr{}, nil
	}
	return lladdr.Parse(string(entries[0].MAC))
}

// SetPermanent makes a permanent entry, as `arp -s` does.
func (d *daemon) SetPermanent(ctx context.Context, ip netip.Addr, mac lladdr.Addr) error {
	return d.Set(ctx, api.SetEntry{IP: ip, MAC: api.MAC(mac.String())})
}

// Set makes an entry on the daemon's interface, as `arp -s` does.
func (d *daemon) Set(ctx context.Context, e api.SetEntry) error {
	e.Interface = d.name
	if _, _, err := d.client.SetEntry(ctx, e); err != nil {
		return fmt.Errorf("setting the entry of %v: %w", e.IP, err)
	}
	return nil
}

// SetMaxAge sets net.link.ether.inet.max_age.
func (d *daemon) SetMaxAge(ctx context.Context, age time.Duration) error {
	return d.SetSysctl(ctx, "max_age", int64(age/time.Second))
}

// SetSysctl sets a tunable below net.link.ether.inet.
func (d *daemon) SetSysctl(ctx context.Context, name string, value int64) error {
	return d.setSysctl(ctx, "net.link.ether.inet.", name, value)
}

// SetDetection sets a tunable below net.link.ether.arp.
func (d *daemon) SetDetection(ctx context.Context, name string, value int64) error {
	return d.setSysctl(ctx, "net.link.ether.arp.", name, value)
}

func (d *daemon) setSysctl(ctx context.Context, above, name string, value int64) error {
	if _, err := d.client.SetSysctl(ctx, above+name, "", value); err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	return nil
}

// Close ends the daemon with SIGTERM, or SIGKILL if it does not listen, and waits
// for its end.
func (d *daemon) Close() error {
	defer d.client.Close()
	if d.process == nil {
		return nil
	}
	// A stopped process ends on SIGTERM only when it goes on.
	for _, s := range []syscall.Signal{syscall.SIGCONT, syscall.SIGTERM} {
		if err := d.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("ending the daemon: %w", err)
		}
	}
	select {
	case <-d.process.Done():
		return nil
	case <-time.After(stopPatience):
	}
	if err := d.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("the daemon did not end within %v of SIGTERM and was killed", stopPatience)
}
