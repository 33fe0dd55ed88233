package host_test

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// sendError checks the errors of Interface.Output: what it sends to, its next hop
// and its errno.
func sendError(t *testing.T, err error, to, hop string, gateway bool, want syscall.Errno) {
	t.Helper()
	var e *host.SendError
	if !errors.As(err, &e) || e.To != ip(to) || e.Hop != ip(hop) || e.Gateway != gateway || !errors.Is(err, want) {
		t.Errorf("error %v (%+v), want %v to %s by %s", err, e, want, to, hop)
	}
}

// TestInterfaceOutput sends a batch to neighbours that are known and not known:
// the packets of each arrive in order.
func TestInterfaceOutput(t *testing.T) {
	onLAN(t, func(l *lan) {
		a, b, c := l.host(macHost, "192.0.2.1/24"), l.host(macPeer, "192.0.2.2/24"), l.host(macThird, "192.0.2.3/24")
		a.set(t, "maxhold", 10)
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		var batch [][]byte
		for i := byte(1); i <= 6; i++ {
			batch = append(batch, packet(b.ip, i), packet(c.ip, i))
		}
		a.ifc.Output(batch, func(p []byte, err error) { t.Errorf("packet %x: %v", p, err) })
		for _, n := range []*node{b, c} {
			if got := n.data(); !slices.Equal(got, []byte{1, 2, 3, 4, 5, 6}) {
				t.Errorf("at %v arrived %v", n.ip, got)
			}
		}
	})
}

// TestInterfaceOutputErrors has what is no packet, has no route, or nobody who
// answers, and what of a batch is not concerned.
func TestInterfaceOutputErrors(t *testing.T) {
	onLAN(t, func(l *lan) {
		a, b := l.host(macHost, "192.0.2.1/24"), l.host(macPeer, "192.0.2.2/24")
		var errs []error
		send := func(packets ...[]byte) []error {
			errs = nil
			a.ifc.Output(packets, func(_ []byte, err error) { errs = append(errs, err) })
			return errs
		}
		if got := send(packet(b.ip, 1), []byte{0x45}, packet(ip("203.0.113.5"), 2), packet(b.ip, 3)); len(got) != 2 {
			t.Fatalf("errors %v, want two", got)
		}
		if !errors.Is(errs[0], syscall.EINVAL) {
			t.Errorf("of a packet of one byte: %v", errs[0])
		}
		sendError(t, errs[1], "203.0.113.5", "203.0.113.5", false, syscall.ENETUNREACH)
		// maxhold is 1: the last displaces the first, unless the answer was faster.
		if got := b.data(); len(got) == 0 || got[len(got)-1] != 3 {
			t.Errorf("arrived %v, want the last", got)
		}

		if err := a.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.254")}); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			send(packet(ip("203.0.113.5"), 1), packet(ip("192.0.2.9"), 1))
			time.Sleep(time.Second)
		}
		if len(errs) != 2 {
			t.Fatalf("errors %v, want two", errs)
		}
		sendError(t, errs[0], "203.0.113.5", "192.0.2.254", true, syscall.EHOSTUNREACH)
		sendError(t, errs[1], "192.0.2.9", "192.0.2.9", false, syscall.EHOSTDOWN)

		a.ifc.SetRunning(false)
		if send(packet(b.ip, 1)); len(errs) != 1 {
			t.Fatalf("errors %v, want one", errs)
		}
		sendError(t, errs[0], "192.0.2.2", "192.0.2.2", false, syscall.ENETDOWN)
	})
}

// TestInterfaceOutputStays has two interfaces in one host: what is given to one
// never leaves by the other, whatever prefixes they have.
func TestInterfaceOutputStays(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		second, err := a.Attach(host.InterfaceConfig{
			Name: "e1", Index: 2, MAC: lladdr.MustParse(macThird), Port: l.seg.Port(lladdr.MustParse(macThird)),
			Addresses: []host.Address{{Prefix: netip.MustParsePrefix("192.0.2.129/25")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []host.Route{
			{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.254"), Interface: "e0"},
			{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.253"), Interface: "e1"},
		} {
			if err := a.AddRoute(r); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			ifc     *host.Interface
			to, hop string
			gateway bool
		}{
			{a.ifc, "192.0.2.200", "192.0.2.200", false},
			{second, "192.0.2.200", "192.0.2.200", false},
			{second, "192.0.2.7", "192.0.2.253", true},
			{a.ifc, "203.0.113.5", "192.0.2.254", true},
			{second, "203.0.113.5", "192.0.2.253", true},
			{second, "224.0.0.9", "224.0.0.9", false},
		} {
			if hop, gateway, err := tt.ifc.NextHop(ip(tt.to)); err != nil || hop != ip(tt.hop) || gateway != tt.gateway {
				t.Errorf("next hop of %s on %s: %v, %v, %v; want %s, %v", tt.to, tt.ifc.Name(), hop, gateway, err, tt.hop, tt.gateway)
			}
			l.forget()
			tt.ifc.Output([][]byte{packet(ip(tt.to), 1)}, func(_ []byte, err error) { t.Errorf("to %s: %v", tt.to, err) })
			synctest.Wait()
			for _, s := range l.sent {
				if s.from != tt.ifc.MAC() || s.arp.TargetIP != ip(tt.hop) {
					t.Errorf("to %s on %s: %v sent %v", tt.to, tt.ifc.Name(), s.from, s.arp)
				}
			}
		}
	})
}

// TestUnicastInBroadcast: a packet for one host in a frame to all is not taken
// (RFC 1122 section 3.3.6), one for all is.
func TestUnicastInBroadcast(t *testing.T) {
	onLAN(t, func(l *lan) {
		a, s := l.host(macHost, "192.0.2.1/24"), l.stranger(macThird)
		for i, to := range []string{"192.0.2.1", "192.0.2.255", "255.255.255.255", "224.0.0.1", "203.0.113.255"} {
			s.raw(link.Ethernet{}.Append(nil, link.Header{Destination: lladdr.Broadcast(), Source: s.mac, Type: link.TypeIPv4}, packet(ip(to), byte(i))))
		}
		if got := a.data(); !slices.Equal(got, []byte{1, 2, 3}) {
			t.Errorf("taken %v, want those for all", got)
		}
	})
}
