package lab

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

func segmentErrors(ctx context.Context, s *segmentStage) error {
	silent, behind := netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("203.0.113.9")
	router := netip.MustParseAddr("192.0.2.251")
	s.Say("maxtries is %d; here it is set to %d", maxTries, fewTries)
	if err := s.set("maxtries", fewTries); err != nil {
		return err
	}
	if err := s.isat.host.AddRoute(host.Route{Prefix: netip.PrefixFrom(behind, 24).Masked(), Gateway: router}); err != nil {
		return err
	}
	s.Say("isat asks for %v, which nobody has, and sends to %v by the router %v, which nobody has either", silent, behind, router)
	begin := time.Now()
	var errs [2]error
	var both sync.WaitGroup
	for i, ip := range []netip.Addr{silent, behind} {
		both.Go(func() { _, errs[i] = s.isat.host.Resolve(ctx, ip) })
	}
	done := make(chan struct{})
	go func() { both.Wait(); close(done) }()
	s.until(ctx, fewTries*time.Second+segmentPatience, func() bool { return closed(done) })
	<-done
	for i, dead := range []struct {
		ip, hop netip.Addr
		want    syscall.Errno
		who     string
	}{{silent, silent, syscall.EHOSTDOWN, "a silent host"}, {behind, router, syscall.EHOSTUNREACH, "a silent router"}} {
		s.expectError(errs[i], dead.want, dead.who+", a resolution")
		var sent error
		s.until(ctx, segmentPatience, func() bool { _, sent = s.isat.ping(dead.ip); return sent != nil })
		s.expectError(sent, dead.want, dead.who+", a packet")
		asked := len(s.asked(begin, s.isat.mac, dead.hop))
		s.Expect(asked >= fewTries, "on the wire: %s for %v", count(asked, "request"), dead.hop)
	}

	for i, r := range []struct {
		name             string
		action           host.Action
		packet, resolver error
	}{
		{"reject", host.Reject, syscall.EHOSTDOWN, syscall.EHOSTDOWN},
		{"blackhole", host.Blackhole, nil, syscall.EHOSTUNREACH},
	} {
		ip, mac := netip.AddrFrom4([4]byte{192, 0, 2, byte(51 + i)}), lladdr.From6([6]byte{2, 0, 0, 0, 0, byte(0x51 + i)})
		s.Say("the administrator of isat makes an entry: arp -s %v %v %s", ip, mac, r.name)
		if _, err := s.isat.host.Set(host.Change{IP: ip, MAC: mac, Action: r.action, Origin: host.Administrator}); err != nil {
			return err
		}
		_, sent := s.isat.ping(ip)
		_, err := s.resolve(ctx, ip)
		s.Expect(errors.Is(sent, r.packet), "a packet: %s", errnoText(sent))
		s.Expect(errors.Is(err, r.resolver), "a resolution: %s", errnoText(err))
	}

	s.Say("isat may not ask any more: arp = \"static\"")
	s.isat.iface.SetMode(host.Static)
	begin = time.Now()
	ip := netip.MustParseAddr("192.0.2.53")
	_, err := s.resolve(ctx, ip)
	s.expectError(err, syscall.EINVAL, "a resolution")
	_, err = s.isat.ping(ip)
	s.expectError(err, syscall.EINVAL, "a packet")
	asked := len(s.asked(begin, s.isat.mac, ip))
	s.Expect(asked == 0, "on the wire: %s for it", count(asked, "request"))
	return nil
}
