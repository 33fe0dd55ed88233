package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/internal/tun"
	"github.com/isat-project/isat/lladdr"
)

// silence is who does not answer.
type silence struct {
	who     string
	to, hop netip.Addr    // packets go to, by way of
	resolve syscall.Errno // what a resolution ends with; and on a host of its own, everything
}

// silences are a host on the link, and a router with a network behind it.
func silences() []silence {
	host, router := netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("192.0.2.251")
	return []silence{
		{"a silent host", host, host, syscall.EHOSTDOWN},
		{"a silent router", netip.MustParseAddr("203.0.113.9"), router, syscall.EHOSTUNREACH},
	}
}

// playErrors sends to who does not answer, and to who may not be asked, and looks
// at what the programs are told.
func playErrors(ctx context.Context, s *stage) (err error) {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat := s.net.Isat
	for _, dead := range silences() {
		if dead.to != dead.hop {
			network := netip.PrefixFrom(dead.to, 24).Masked()
			if err := isat.AddRoute(network, dead.hop, isat.Interface()); err != nil {
				return err
			}
		}
	}
	s.Say("maxtries is %d; here it is set to %d", maxTries, fewTries)
	if err := s.isat.SetSysctl(ctx, "maxtries", fewTries); err != nil {
		return err
	}
	own, err := s.startOwnHost(ctx)
	if err != nil {
		return err
	}
	if own != nil {
		defer func() { err = errors.Join(err, own.Close()) }()
	}
	s.playSilence(ctx, own)
	if err := s.playRefusal(ctx); err != nil {
		return err
	}
	return s.playStatic(ctx)
}

// playSilence sends to everybody who is silent, in each way at the same time.
func (s *stage) playSilence(ctx context.Context, own *daemon) {
	begin := time.Now()
	isat := s.net.Isat
	var linux, whole []*attempts
	for _, dead := range silences() {
		s.Say("programs on isat send to %v: %s, %v", dead.to, dead.who, dead.hop)
		linux = append(linux, trying(ctx, s.isat, dead.to, s.patience))
		if own != nil {
			whole = append(whole, trying(ctx, own, dead.to, s.patience))
		}
	}
	for i, dead := range silences() {
		told := linux[i]
		s.until(ctx, fewTries*time.Second+s.patience, func() bool { return told.done(false) })
		told.end()
		s.expectError(told.tcp.err, syscall.EHOSTUNREACH, dead.who+", TCP")
		s.expectError(told.queued.err, syscall.EHOSTUNREACH, dead.who+", UDP with IP_RECVERR")
		s.Expect(told.plain.err == nil, "%s, connected UDP: %s: Linux tells it nothing", dead.who, errnoText(told.plain.err))
		s.expectError(told.resolved.err, dead.resolve, dead.who+", isat resolve")
		asked := len(s.asked(begin, isat.MAC, dead.hop))
		s.Expect(asked >= fewTries, "on the wire: %s for %v", count(asked, "request"), dead.hop)
		if own == nil {
			continue
		}
		told = whole[i]
		s.until(ctx, fewTries*time.Second+s.patience, func() bool { return told.done(true) })
		told.end()
		for _, way := range []struct {
			name string
			err  error
		}{
			{"TCP", told.tcp.err}, {"connected UDP", told.plain.err},
			{"UDP with IP_RECVERR", told.queued.err}, {"isat resolve", told.resolved.err},
		} {
			s.expectError(way.err, dead.resolve, dead.who+", on the TUN host, "+way.name)
		}
	}
	asked := len(s.asked(begin, isat.MAC, silences()[1].to))
	s.Expect(asked == 0, "on the wire: %s for who is behind the router", count(asked, "request"))
}

// playRefusal sends to entries that refuse packets.
func (s *stage) playRefusal(ctx context.Context) error {
	begin := time.Now()
	for i, r := range []struct {
		action            api.Action
		program, resolver syscall.Errno
	}{
		{api.ActionReject, syscall.EHOSTUNREACH, syscall.EHOSTDOWN},
		{api.ActionBlackhole, syscall.EINVAL, syscall.EHOSTUNREACH},
	} {
		ip, mac := netip.AddrFrom4([4]byte{192, 0, 2, byte(51 + i)}), fmt.Sprintf("02:00:00:00:00:5%d", 1+i)
		s.Say("the administrator of isat makes an entry: arp -s %v %s %s", ip, mac, r.action)
		if err := s.isat.Set(ctx, api.SetEntry{IP: ip, MAC: api.MAC(mac), Action: r.action}); err != nil {
			return err
		}
		s.expectAtOnce(ctx, ip, r.program, r.resolver)
		asked := len(s.asked(begin, s.net.Isat.MAC, ip))
		s.Expect(asked == 0, "on the wire: %s for it", count(asked, "request"))
	}
	return nil
}

// playStatic forbids isat to ask at all.
func (s *stage) playStatic(ctx context.Context) error {
	ip := netip.MustParseAddr("192.0.2.53")
	s.Say("%s may not ask any more: arp = \"static\"", s.isat.name)
	if err := s.isat.configure(configuration + "arp = \"static\"\n"); err != nil {
		return err
	}
	if _, err := s.isat.client.Reload(ctx); err != nil {
		return fmt.Errorf("reloading: %w", err)
	}
	obeyed := s.until(ctx, s.patience, func() bool {
		i, err := s.isat.Interface(ctx)
		return err == nil && i.ARP == "static" && i.Guarded && i.State == "up"
	})
	s.Expect(obeyed, "isat has reloaded its configuration")
	begin := time.Now()
	s.expectAtOnce(ctx, ip, syscall.EHOSTUNREACH, syscall.EINVAL)
	asked := len(s.asked(begin, s.net.Isat.MAC, ip))
	s.Expect(asked == 0, "on the wire: %s for it", count(asked, "request"))
	return nil
}

// expectAtOnce expects what a program and a resolver are told of an address that
// is not asked for.
func (s *stage) expectAtOnce(ctx context.Context, ip netip.Addr, program, resolver syscall.Errno) {
	begin := time.Now()
	told := trying(ctx, s.isat, ip, s.patience)
	s.until(ctx, fewTries*time.Second+s.patience, func() bool { return told.done(false) })
	told.end()
	after := seconds(time.Since(begin))
	s.expectError(told.tcp.err, program, fmt.Sprintf("after %s TCP", after))
	s.expectError(told.queued.err, program, "UDP with IP_RECVERR")
	s.expectError(told.resolved.err, resolver, "isat resolve")
}

// attempt is what a program is told that runs beside the story.
type attempt struct {
	err  error // when finished is closed
	done chan struct{}
}

func attempting(f func() error) *attempt {
	a := &attempt{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.err = f()
	}()
	return a
}

// attempts are all ways to send to an address and to ask for it, at a time.
type attempts struct {
	stop                         context.CancelFunc
	tcp, plain, queued, resolved *attempt
}

// trying sends from the daemon's host, and asks the daemon.
func trying(ctx context.Context, d *daemon, ip netip.Addr, limit time.Duration) *attempts {
	const interval = time.Second / 10
	ctx, stop := context.WithTimeout(ctx, fewTries*time.Second+limit)
	discard := netip.AddrPortFrom(ip, 9) // RFC 863
	datagrams := func(way probe.Datagrams) *attempt {
		return attempting(func() error { return way.Send(ctx, d.host.NS, discard, interval) })
	}
	return &attempts{
		stop: stop,
		tcp: attempting(func() error {
			conn, err := probe.Connect(ctx, d.host.NS, discard)
			if err == nil {
				conn.Close()
			}
			return err
		}),
		plain:  datagrams(probe.Connected),
		queued: datagrams(probe.Queued),
		resolved: attempting(func() error {
			_, err := d.client.Resolve(ctx, ip, "", 0)
			return err
		}),
	}
}

// done reports whether all have been told something, connected UDP included or not.
func (a *attempts) done(plain bool) bool {
	return closed(a.tcp.done) && closed(a.queued.done) && closed(a.resolved.done) && (!plain || closed(a.plain.done))
}

// end ends those that have not been told anything.
func (a *attempts) end() {
	a.stop()
	for _, one := range []*attempt{a.tcp, a.plain, a.queued, a.resolved} {
		<-one.done
	}
}

// ownHost is the configuration of a host of its own, in the form of
// [configuration]. Its gateway is silent.
const ownHost = `[daemon]
socket = %q
runtime-dir = %q
state-dir = %q

[[interface]]
name = %q
datapath = "tun"
port = "packet:eth0"
addresses = ["192.0.2.32/24"]
gateway = "192.0.2.251"
dad = false
[interface.sysctl]
"net.link.ether.inet.maxtries" = 2
`

// startOwnHost starts a second isat, a host of its own on a TUN device. It returns
// nil where there is no such device to be had, and says so: Linux' own errors are
// for a story, too.
func (s *stage) startOwnHost(ctx context.Context) (*daemon, error) {
	if s.noTUN {
		return nil, nil
	}
	const name = "isat0"
	carol, err := s.net.Join("carol", lladdr.MustParse("02:00:00:00:00:20"), netip.Prefix{})
	if err != nil {
		return nil, err
	}
	err = carol.NS.Do(func() error {
		f, err := tun.Attach(name, unix.IFF_TUN)
		if err == nil {
			f.Close()
		}
		return err
	})
	if err != nil {
		s.Say("no host of its own on a TUN device here, the rest decides: %v", err)
		return nil, nil
	}
	s.Say("carol is a host of isat's own on a TUN device, 192.0.2.32 at %v", carol.MAC)
	d, err := newDaemonWith(carol, name, filepath.Join(s.isat.dir, carol.Name), &logBook{}, ownHost)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.Start(ctx), routeByTUN(carol, name)); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// routeByTUN gives the kernel its default route: isat adds none.
func routeByTUN(h *lan.Host, name string) error {
	return h.AddRoute(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.Addr{}, name)
}
