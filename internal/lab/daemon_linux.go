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

// daemon is what a scenario asks of isat's daemon.
type daemon interface {
	// Start starts it and returns when it is in charge of the interface.
	Start(ctx context.Context) error
	// Signal sends a signal to its process.
	Signal(syscall.Signal) error
	// InCharge reports whether it answers and holds the interface.
	InCharge(ctx context.Context) (bool, error)
	// Entry returns the MAC address it has for ip, none if it has no entry.
	Entry(ctx context.Context, ip netip.Addr) (lladdr.Addr, error)
	// SetPermanent makes a permanent entry, as `arp -s` does.
	SetPermanent(ctx context.Context, ip netip.Addr, mac lladdr.Addr) error
	// SetMaxAge sets net.link.ether.inet.max_age.
	SetMaxAge(ctx context.Context, age time.Duration) error
	// Diagnostics returns the diagnostics since the last call.
	Diagnostics() []logLine
	// Close ends it and waits for that.
	Close() error
}

// Patience with the daemon. They are bounds for a machine that is busy with other
// things, not what is expected.
const (
	startPatience = 15 * time.Second
	stopPatience  = 5 * time.Second
)

// child is the isat daemon: this program once more, in the namespace of a host.
type child struct {
	host   *lan.Host
	dir    string // for its socket, configuration and state
	log    *logBook
	client *api.Client

	process *netns.Process // nil until Start
}

// configuration is what the daemon runs with. Detection of duplicates is off: it
// would hold addresses back for seconds, and the diagnostics of the scenarios are
// those of arp(4). The runtime directory is the lab's own: nothing outside is
// written.
const configuration = `[daemon]
socket = %q
runtime-dir = %q
state-dir = %q

[[interface]]
name = %q
datapath = "kernel"
dad = false
`

// newChild prepares a daemon for the host with its files in dir. It does not
// start it.
func newChild(host *lan.Host, dir string, log *logBook) (*child, error) {
	c := &child{host: host, dir: dir, log: log}
	for _, d := range []string{c.path("run"), c.path("state")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("making room for the daemon: %w", err)
		}
	}
	text := fmt.Sprintf(configuration, c.socket(), c.path("run"), c.path("state"), host.Interface())
	if err := os.WriteFile(c.path("isat.toml"), []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("configuring the daemon: %w", err)
	}
	c.client = api.NewClient(c.socket())
	return c, nil
}

func (c *child) path(name string) string { return filepath.Join(c.dir, name) }

// socket is the daemon's HTTP socket, which processes outside can reach, too.
func (c *child) socket() string { return c.path("isat.sock") }

// Start implements daemon. It may be called again after the daemon has ended.
func (c *child) Start(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe", "run", "--socket", c.socket(), "--config", c.path("isat.toml"))
	cmd.Args[0] = "isat"
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.WaitDelay = stopPatience
	process, err := c.host.NS.Start(cmd)
	if err != nil {
		return err
	}
	c.process = process

	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		ready, err := c.InCharge(ctx)
		if ready {
			return nil
		}
		select {
		case <-process.Done():
			return fmt.Errorf("the daemon ended: %w: %s", errors.Join(process.Wait()), c.log.last())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the daemon is not ready after %v: %s", startPatience, c.log.last()), err)
		case <-time.After(pollInterval):
		}
	}
}

// Signal implements daemon.
func (c *child) Signal(s syscall.Signal) error {
	if err := c.process.Signal(s); err != nil {
		return fmt.Errorf("sending %v to the daemon: %w", s, err)
	}
	if s == syscall.SIGKILL {
		<-c.process.Done()
	}
	return nil
}

// InCharge implements daemon.
func (c *child) InCharge(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a stopped daemon accepts and says nothing
	defer cancel()
	interfaces, err := c.client.Interfaces(ctx)
	if err != nil {
		return false, err
	}
	for _, i := range interfaces {
		if i.Name == c.host.Interface() {
			return i.Guarded && i.State == "up", nil
		}
	}
	return false, nil
}

// Entry implements daemon.
func (c *child) Entry(ctx context.Context, ip netip.Addr) (lladdr.Addr, error) {
	entries, err := c.client.Entries(ctx, api.EntryFilter{Interface: c.host.Interface(), IP: ip})
	if err != nil {
		return lladdr.Addr{}, fmt.Errorf("reading the entry of %v: %w", ip, err)
	}
	if len(entries) == 0 || entries[0].MAC == "" {
		return lladdr.Addr{}, nil
	}
	return lladdr.Parse(string(entries[0].MAC))
}

// SetPermanent implements daemon.
func (c *child) SetPermanent(ctx context.Context, ip netip.Addr, mac lladdr.Addr) error {
	_, _, err := c.client.SetEntry(ctx, api.SetEntry{IP: ip, MAC: api.MAC(mac.String()), Interface: c.host.Interface()})
	if err != nil {
		return fmt.Errorf("setting the entry of %v: %w", ip, err)
	}
	return nil
}

// SetMaxAge implements daemon.
func (c *child) SetMaxAge(ctx context.Context, age time.Duration) error {
	_, err := c.client.SetSysctl(ctx, "net.link.ether.inet.max_age", "", int64(age/time.Second))
	if err != nil {
		return fmt.Errorf("setting max_age: %w", err)
	}
	return nil
}

// Diagnostics implements daemon.
func (c *child) Diagnostics() []logLine { return c.log.diagnostics() }

// Close implements daemon: SIGTERM, and SIGKILL for one that does not listen.
func (c *child) Close() error {
	defer c.client.Close()
	if c.process == nil {
		return nil
	}
	// A stopped process ends on SIGTERM only when it goes on.
	for _, s := range []syscall.Signal{syscall.SIGCONT, syscall.SIGTERM} {
		if err := c.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("ending the daemon: %w", err)
		}
	}
	select {
	case <-c.process.Done():
		return nil
	case <-time.After(stopPatience):
	}
	if err := c.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("the daemon did not end within %v of SIGTERM and was killed", stopPatience)
}
