package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/datapath"
	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/internal/ioctlsrv"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/mib"
)

// Options are what a daemon is made of.
type Options struct {
	Config     config.Config
	ConfigPath string   // read again by Reload; "" if there is none
	Interfaces []string // named on the command line: they have to exist
	Socket     string   // instead of that of the configuration, if not empty
	Observe    bool     // watch the interfaces of the command line
	Version    string
	Log        *slog.Logger
}

// Daemon is one running isat.
type Daemon struct {
	options  Options
	log      *slog.Logger
	mib      *mib.Tree
	events   *event.Ring
	host     *host.Host
	takeover *takeover.Manager
	hosts    *datapath.Manager // those of their own
	proxies  proxyRules
	api      *httpapi.Server
	ioctls   *ioctlsrv.Server
	started  time.Time

	mu     sync.Mutex
	config config.Config
}

// Run runs a daemon in the network namespace of the calling thread until ctx is
// done. It returns nil after everything is put back. An error before it serves
// means that nothing on the host has changed.
func Run(ctx context.Context, o Options) error {
	d, err := open(o)
	if err != nil {
		return err
	}
	return errors.Join(d.run(ctx), d.hosts.Close(), d.takeover.Close())
}

// open makes the parts and starts none.
func open(o Options) (*Daemon, error) {
	if o.Socket == "" {
		o.Socket = o.Config.Daemon.Socket
	}
	d := &Daemon{options: o, log: o.Log, mib: mib.New(), config: o.Config, started: time.Now()}
	if err := d.setTunables(config.Config{}, o.Config); err != nil {
		return nil, err
	}
	instance, err := instanceName()
	if err != nil {
		return nil, err
	}
	d.events = event.NewRing(instance, event.DefaultSize)
	if d.takeover, err = takeover.Open(takeover.Options{RuntimeDir: o.Config.Daemon.RuntimeDir, Log: o.Log}); err != nil {
		return nil, err
	}
	d.host = host.New(host.Config{MIB: d.mib, Events: d.events, Neighbours: d.takeover, Router: d.takeover, Addressing: d.takeover})
	d.proxies.rules = d.host.Proxies()
	if err := d.proxies.configure(config.Config{}, o.Config); err != nil {
		return nil, errors.Join(err, d.takeover.Close())
	}
	if err := d.takeover.Bind(d.host); err != nil {
		return nil, errors.Join(err, d.takeover.Close())
	}
	d.takeover.SetPolicies(policies(o.Config))
	rights, err := rights(o.Config.Daemon)
	if err == nil {
		err = d.openHosts()
	}
	if err != nil {
		return nil, errors.Join(err, d.takeover.Close())
	}
	d.api = httpapi.New(httpapi.Config{Backend: d, Events: d.events, Rights: rights, Log: o.Log})
	d.ioctls = ioctlsrv.New(ioctlsrv.Config{Backend: ioctls{d}, Rights: rights, Log: o.Log})
	return d, nil
}

// instanceName returns a name that no other start has (INTERFACES section 5).
func instanceName() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making the name of the instance: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// rights says who may do what on the sockets.
func rights(c config.Daemon) (httpapi.Rights, error) {
	r := httpapi.Rights{Owner: uint32(os.Geteuid()), Group: httpapi.NoGroup, GroupReads: c.Read == config.ReadGroup}
	g, err := user.LookupGroup(c.SocketGroup)
	if err != nil {
		if r.GroupReads || c.SocketGroup != config.Default().Daemon.SocketGroup {
			return r, fmt.Errorf("socket-group %q: %w", c.SocketGroup, err)
		}
		return r, nil // the default group need not exist
	}
	if r.Group, err = strconv.Atoi(g.Gid); err != nil {
		return r, fmt.Errorf("socket-group %q has id %q: %w", c.SocketGroup, g.Gid, err)
	}
	return r, nil
}

// run starts the parts and stops them in the reverse order.
func (d *Daemon) run(ctx context.Context) error {
	// From here on SIGHUP does not end the process, which has things to put back.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	socket, err := httpapi.Listen(d.options.Socket)
	if err != nil {
		return err
	}
	forIoctls, err := ioctlsrv.Listen(d.ioctlSocket())
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	var tcp net.Listener
	if address := d.options.Config.Daemon.HTTP; address != "" {
		if tcp, err = net.Listen("tcp", address); err != nil {
			return errors.Join(fmt.Errorf("listening for http = %q: %w", address, err), socket.Close(), forIoctls.Close())
		}
	}

	// Four circles: the takeover ends first and hands back, which needs the host,
	// then the hosts of their own; the sockets and the log end last, so that they
	// tell of it.
	outer, stopOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOuter()
	hosted, stopHost := context.WithCancel(outer)
	defer stopHost()
	making, stopMaking := context.WithCancel(hosted)
	defer stopMaking()
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()

	var rest errgroup.Group
	rest.Go(func() error { d.logEvents(outer); return nil })
	rest.Go(func() error { return d.api.Serve(outer, socket) })
	rest.Go(func() error { return d.ioctls.Serve(outer, forIoctls) })
	if tcp != nil {
		name, _, _ := net.SplitHostPort(d.options.Config.Daemon.HTTP)
		rest.Go(func() error { return d.api.ServeTCP(outer, tcp, name) })
	}
	var engine errgroup.Group
	engine.Go(func() error { return d.host.Run(hosted) })
	var hosts errgroup.Group
	hosts.Go(func() error { return d.hosts.Run(making) })
	var take errgroup.Group
	take.Go(func() error { return d.takeover.Run(taking) })

	err = d.takeAll()
	if err == nil {
		d.ready()
		take.Go(func() error { d.serveReloads(taking, hup); return nil })
		take.Go(func() error { d.watchdog(taking); return nil })
	} else {
		stopTaking()
	}
	err = errors.Join(err, take.Wait())
	d.stopping()
	stopMaking()
	err = errors.Join(err, hosts.Wait())
	stopHost()
	err = errors.Join(err, engine.Wait())
	stopOuter()
	return errors.Join(err, rest.Wait())
}

// takeAll takes the interfaces over that the command line and the configuration
// name, and sets the entries of the configuration.
func (d *Daemon) takeAll() error {
	for _, name := range d.options.Interfaces {
		spec, ok := d.spec(d.options.Config, name)
		if !ok {
			continue
		}
		if err := d.takeover.Take(spec); err != nil {
			return err
		}
	}
	return d.apply(d.options.Config)
}

// apply makes the takeover that of a configuration: interfaces it does not name
// are not touched here.
func (d *Daemon) apply(c config.Config) error {
	for _, w := range c.Ineffective(d.options.ConfigPath) {
		d.log.Warn(w.String())
	}
	for _, i := range c.Interfaces {
		spec, ok := d.spec(c, i.Name)
		if i.IsPattern() || !ok || d.takeover.Released(i.Name) {
			continue
		}
		err := d.takeover.Take(spec)
		switch {
		case errors.Is(err, takeover.ErrAbsent):
			d.takeover.Await(spec)
			d.log.Warn("waiting for an interface of the configuration to appear", "interface", i.Name)
		case errors.Is(err, errAlready):
		case err != nil:
			return err
		}
	}
	if err := d.addHosts(c); err != nil {
		return err
	}
	if err := d.takeover.Match(func(name string) (takeover.Spec, bool) { return d.matched(c, name) }); err != nil {
		return err
	}
	if err := d.takeover.Stand(entries(c)); err != nil {
		return err
	}
	return d.takeover.Sweep()
}

// spec returns how the configuration wants an interface taken over.
func (d *Daemon) spec(c config.Config, name string) (takeover.Spec, bool) {
	i, ok := c.Match(name)
	if !ok || ofHost(c, name) {
		return takeover.Spec{}, false
	}
	return d.specOf(i, name), true
}

// specOf returns how a section wants an interface taken over.
func (d *Daemon) specOf(i config.Interface, name string) takeover.Spec {
	return takeover.Spec{
		Name: name, Observe: i.Datapath == config.Observe || d.options.Observe, Mode: mode(i.ARP),
		DAD: i.DAD, Down: down(i.Down), Reprobe: reprobe(i.Reprobe),
	}
}

// matched is spec for an interface that exists: it may have come just now, after
// the tunables of a pattern were set for those that were there.
func (d *Daemon) matched(c config.Config, name string) (takeover.Spec, bool) {
	spec, ok := d.spec(c, name)
	if !ok {
		return spec, false
	}
	i, _ := c.Match(name)
	for node, value := range i.Sysctl {
		if err := d.mib.Set(node, name, value); err != nil {
			d.log.Error("setting a tunable of the configuration", "interface", name, "error", err)
		}
	}
	return spec, true
}

// entries returns the entries of the configuration.
func entries(c config.Config) []host.Change {
	var all []host.Change
	for _, e := range c.Entries {
		all = append(all, host.Change{
			Interface: e.Interface, IP: e.Host, MAC: e.Ether, Temporary: e.Temp, Origin: host.Administrator,
			Publish: publish(e.Pub), Action: action(e.Action),
		})
	}
	return all
}

// publish returns who is answered for an entry of the configuration.
func publish(p config.Publish) host.Publish {
	switch p {
	case config.PubYes:
		return host.Published
	case config.PubOnly:
		return host.PublishedOnly
	}
	return host.Unpublished
}

// action returns what becomes of packets to an entry of the configuration.
func action(a config.Action) host.Action {
	switch a {
	case config.Reject:
		return host.Reject
	case config.Blackhole:
		return host.Blackhole
	}
	return host.Forward
}

// setTunables makes the tunables those of a configuration: what an older one set
// and the new one does not gets its default back.
func (d *Daemon) setTunables(old, new config.Config) error {
	change := func(ifname string, old, new map[string]int64) error {
		for name := range old {
			if _, ok := new[name]; !ok {
				if err := d.mib.Reset(name, ifname); err != nil {
					return err
				}
			}
		}
		for name, value := range new {
			if err := d.mib.Set(name, ifname, value); err != nil {
				return err
			}
		}
		return nil
	}
	if err := change("", old.Sysctl, new.Sysctl); err != nil {
		return err
	}
	values := func(c config.Config, ifname string) map[string]int64 {
		i, _ := c.Match(ifname)
		return i.Sysctl
	}
	for _, name := range d.named(old, new) {
		if err := change(name, values(old, name), values(new, name)); err != nil {
			return err
		}
	}
	return nil
}

// named returns the interfaces that either configuration names or that exist and
// that a pattern may stand for.
func (d *Daemon) named(configs ...config.Config) []string {
	seen := make(map[string]bool)
	for _, c := range configs {
		for _, i := range c.Interfaces {
			if !i.IsPattern() {
				seen[i.Name] = true
			}
		}
	}
	links, err := net.Interfaces()
	if err == nil {
		for _, l := range links {
			seen[l.Name] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	return names
}
