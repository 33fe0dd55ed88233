package host_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// TestAddressing is the life of an own address as the IP side is told it.
func TestAddressing(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		side.expect("a new address", candidate+" suspended")
		time.Sleep(20 * time.Second)
		side.expect("verified", candidate+" usable")
		s := l.stranger(macPeer)
		for range 4 {
			s.claim()
			time.Sleep(time.Second)
		}
		side.expect("lost", candidate+" withdrawn "+macPeer)
		time.Sleep(7 * time.Minute)
		side.expect("recovered", candidate+" usable")
		if !n.ownAddress(candidate).Restored {
			t.Error("recovered: it is not called restored")
		}
		n.name(t, "192.0.2.1", candidate)
		side.expect("put back")
		if n.ownAddress(candidate).Restored {
			t.Error("put back: it is still called restored")
		}
		n.name(t, "192.0.2.1")
		side.expect("taken off", candidate+" released")
		n.name(t)
		side.expect("all taken off", "192.0.2.1 released")
	})
}

// TestAddressingPresent: while an update lasts, what changes is told once, as it is
// then.
func TestAddressingPresent(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed(func(c *host.InterfaceConfig) { c.ReportsLink = true })
		side.set(time.Minute, nil)
		n.name(t, "192.0.2.1", candidate)
		time.Sleep(30 * time.Second)
		n.name(t, "192.0.2.1")
		n.name(t, "192.0.2.1", candidate, "192.0.2.7")
		time.Sleep(10 * time.Minute)
		side.expect("at last", candidate+" suspended", candidate+" usable", "192.0.2.7 usable")
	})
}

// TestAddressingPolicy: what a list says of an address that is known is taken over
// and holds at once.
func TestAddressingPolicy(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		n.name(t, "192.0.2.1")
		side.expect("prelude", candidate+" suspended", candidate+" released")
		n.name(t, "192.0.2.1", candidate)
		l.stranger(macPeer).claim()
		list := append(n.ifc.Addresses(), host.Address{Prefix: prefix(candidate + "/24"), Policy: acd.Policy{Temporary: true}, Label: "e0:dhcp"})
		if err := n.ifc.SetAddresses(list); err != nil {
			t.Fatal(err)
		}
		if o := n.ownAddress(candidate); o.Address != list[1] || o.State != acd.Duplicate {
			t.Errorf("%+v", o)
		}
		l.forget()
		time.Sleep(time.Hour)
		if got := l.did(n); count(got, "probe "+candidate) != 0 {
			t.Errorf("DHCP's address was tried: %q", got)
		}
	})
}

// TestAddressingDetach: with the interface all are released.
func TestAddressingDetach(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		side.expect("prelude", candidate+" suspended")
		if err := n.ifc.Detach(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		slices.Sort(side.told)
		side.expect("detached", "192.0.2.1 released", candidate+" released")
		l.forget()
		time.Sleep(time.Hour)
		l.expect(n, "in an hour")
	})
}

// TestAddressingPing: the host is not well while the IP side does not come back.
func TestAddressingPing(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		if err := n.Ping(l.t.Context()); err != nil {
			t.Error(err)
		}
		side.set(time.Hour, nil)
		n.name(t, "192.0.2.1", candidate)
		ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
		defer cancel()
		if err := n.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while an update lasts: %v", err)
		}
	})
}
