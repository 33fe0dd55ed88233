package lab

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
)

// playDown pings an address that nobody has, and then gives it to bob.
func playDown(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat, bob := s.net.Isat, s.net.Bob
	silent := netip.MustParseAddr("192.0.2.50")

	begin := time.Now()
	s.Say("isat pings %v, which nobody has, five times a second, and tries TCP", silent)
	ping, err := startPing(ctx, isat, silent, time.Second/5)
	if err != nil {
		return err
	}
	defer ping.discard()
	connected := connecting(ctx, isat, silent, maxTries*time.Second+s.patience)
	var failure probe.Echo
	s.until(ctx, maxTries*time.Second+s.patience, func() bool {
		failure = first(ping.pinger.Echoes(), func(e probe.Echo) bool { return e.Err != nil })
		return failure.Err != nil
	})
	before := framesBefore(s.asked(begin, isat.MAC, silent), failure.Done)
	s.Expect(errors.Is(failure.Err, syscall.EHOSTUNREACH) && before >= maxTries, "after %s ping is told %q", count(before, "request"), errorText(failure.Err))

	tcp := errors.New("no end in sight")
	s.until(ctx, s.patience, func() bool {
		select {
		case tcp = <-connected:
			return true
		default:
			return false
		}
	})
	s.Expect(errors.Is(tcp, syscall.EHOSTUNREACH), "a TCP connection fails with %q", errorText(tcp))

	s.Say("the ping goes on, and so do the requests")
	s.until(ctx, s.patience, func() bool { return len(s.asked(failure.Done, isat.MAC, silent)) >= 2 })
	all := s.asked(begin, isat.MAC, silent)
	gap, _ := gaps(all)
	s.Expect(len(all) > before && gap > slackSecond, "%s so far, never two within %s", count(len(all), "request"), seconds(gap))

	appeared := time.Now()
	s.Say("%v appears: bob has it from now on", silent)
	if err := bob.AddAddress(netip.PrefixFrom(silent, isat.Addr.Bits())); err != nil {
		return err
	}
	var answer probe.Echo
	s.until(ctx, s.patience, func() bool {
		answer = first(ping.pinger.Echoes(), probe.Echo.Answered)
		return answer.Answered()
	})
	asked := len(s.asked(appeared, isat.MAC, silent))
	s.Expect(answer.Answered() && asked <= 1, "ping is answered %s later, at the next request", seconds(answer.Done.Sub(appeared)))
	s.expectEntries(ctx, silent, bob.MAC)
	return nil
}

// connecting opens a TCP connection that ought to fail, and sends the error.
func connecting(ctx context.Context, from *lan.Host, to netip.Addr, limit time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		conn, err := probe.Connect(ctx, from.NS, netip.AddrPortFrom(to, 9)) // discard (RFC 863)
		if err == nil {
			conn.Close()
		}
		done <- err
	}()
	return done
}

// first returns the first request of which so holds, the zero Echo if there is
// none.
func first(echoes []probe.Echo, so func(probe.Echo) bool) probe.Echo {
	if i := slices.IndexFunc(echoes, so); i >= 0 {
		return echoes[i]
	}
	return probe.Echo{}
}
