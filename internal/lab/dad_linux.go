package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
)

// detecting is the configuration with detection of duplicates: that of the
// scenarios about it, and of a lab that stays up.
const detecting = configured + "dad = true\n"

// startDetecting starts a daemon with detection of duplicates, and lets it say all
// that it has to say.
func startDetecting(ctx context.Context, d *daemon) error {
	if err := d.configure(detecting); err != nil {
		return err
	}
	if err := d.Start(ctx); err != nil {
		return err
	}
	return d.SetSysctl(ctx, "max_log_per_second", maxLog)
}

// addAddress gives a host one more address.
func (s *stage) addAddress(h *lan.Host, address netip.Prefix) error {
	s.Say("the administrator of %s: ip addr add %v dev %s", h.Name, address, h.Interface())
	return h.AddAddress(address)
}

// removeAddress takes from a host what addAddress gave it.
func (s *stage) removeAddress(h *lan.Host, address netip.Prefix) error {
	s.Say("the administrator of %s: ip addr del %v dev %s", h.Name, address, h.Interface())
	return h.RemoveAddress(address)
}

// expectAnnounced expects a host to announce an address.
func (s *stage) expectAnnounced(ctx context.Context, since time.Time, h *lan.Host, ip netip.Addr) {
	s.Expect(s.until(ctx, s.patience, func() bool { return s.announced(since, h, ip) > 0 }), "%s announces %v", h.Name, ip)
}

// expectAddress expects a host's kernel to have an address, or not to have it.
func (s *stage) expectAddress(ctx context.Context, h *lan.Host, ip netip.Addr, want bool) {
	var err error
	so := s.until(ctx, s.patience, func() bool {
		var has bool
		has, err = h.HasAddress(ip)
		return err == nil && has == want
	})
	if err != nil {
		s.Expect(false, "%s has %v: %v", h.Name, ip, err)
		return
	}
	s.Expect(so, "%s %s %v", h.Name, map[bool]string{true: "has", false: "does not have"}[want], ip)
}

// expectState expects `isat status` to show an address in a state.
func (s *stage) expectState(ctx context.Context, ip netip.Addr, want string) {
	var state string
	var err error
	s.until(ctx, s.patience, func() bool {
		state, err = s.isat.AddressState(ctx, ip)
		return err == nil && state == want
	})
	if err != nil || state != want {
		s.Expect(false, "isat status shows %v as %s: it is %q, %v", ip, want, state, err)
		return
	}
	s.Expect(true, "isat status shows %v as %s", ip, want)
}

// expectSaid expects a diagnostic that came n times so far.
func (s *stage) expectSaid(ctx context.Context, n int, what, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.Expect(s.until(ctx, s.patience, func() bool { return s.logged(text) >= n }), "%s", what)
}

// expectAt expects a host's kernel to find an address at another host.
func (s *stage) expectAt(ctx context.Context, h *lan.Host, ip netip.Addr, at *lan.Host) {
	so := s.until(ctx, s.patience, func() bool {
		n, ok, err := h.Neighbour(ip)
		return err == nil && ok && n.MAC == at.MAC
	})
	s.Expect(so, "%s finds %v at %s", h.Name, ip, at.Name)
}

// announced counts the announcements of an address by a host.
func (s *stage) announced(since time.Time, h *lan.Host, ip netip.Addr) (n int) {
	for _, f := range s.claimed(since, h, ip) {
		if f.Packet.IsAnnouncement() {
			n++
		}
	}
	return n
}

// claimed returns the frames in which a host said that an address is its own.
func (s *stage) claimed(since time.Time, h *lan.Host, ip netip.Addr) []probe.Frame {
	return s.seen(since, func(f probe.Frame) bool { return f.Header.Source == h.MAC && f.Packet.SenderIP == ip })
}

// probed returns the probes for an address that came from a host.
func (s *stage) probed(since time.Time, h *lan.Host, ip netip.Addr) []probe.Frame {
	return s.seen(since, func(f probe.Frame) bool {
		return f.Header.Source == h.MAC && f.Packet.IsProbe() && f.Packet.TargetIP == ip
	})
}
