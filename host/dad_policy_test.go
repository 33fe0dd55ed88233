package host_test

import (
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// TestDADPolicyOff has what it means that detection of an address ends, or begins,
// while it is there: it is as when DAD is switched for its interface.
func TestDADPolicyOff(t *testing.T) {
	off := acd.Policy{Detect: acd.DetectOff}
	named := func(n *node, policy acd.Policy) {
		t.Helper()
		list := []host.Address{{Prefix: prefix("192.0.2.1/24")}, {Prefix: prefix(candidate + "/24"), Policy: policy}}
		if err := n.ifc.SetAddresses(list); err != nil {
			t.Fatal(err)
		}
	}
	// exempt checks that the address is used, and neither announced nor watched.
	exempt := func(l *lan, n *node) {
		l.t.Helper()
		n.in(l.t, candidate, acd.Exempt)
		if a := n.ifc.Addresses(); !slices.ContainsFunc(a, func(a host.Address) bool { return a.Prefix.Addr() == ip(candidate) }) {
			l.t.Errorf("the addresses are %v", a)
		}
		l.forget()
		for range 5 {
			l.stranger(macPeer).claim()
		}
		time.Sleep(time.Hour)
		for _, line := range l.did(n) {
			if line != "announce 192.0.2.1" && line != "reply "+candidate {
				l.t.Errorf("it sent %q", line)
			}
		}
		n.in(l.t, candidate, acd.Exempt)
		l.forget()
		l.stranger(macPeer).ask(candidate, "192.0.2.9")
		l.expect(n, "asked for it", "reply "+candidate)
	}
	t.Run("in use", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			named(n, acd.Policy{})
			time.Sleep(time.Minute)
			side.forget()
			named(n, off)
			side.expect("off", candidate+" usable")
			exempt(l, n)
		})
	})
	t.Run("probed", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			named(n, acd.Policy{})
			side.expect("probed", candidate+" suspended")
			named(n, off)
			side.expect("off", candidate+" usable")
			exempt(l, n)
		})
	})
	t.Run("withdrawn and still there", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			named(n, acd.Policy{})
			l.stranger(macPeer).claim()
			named(n, acd.Policy{})
			n.in(t, candidate, acd.Duplicate)
			side.forget()
			named(n, off)
			side.expect("off", candidate+" usable")
			exempt(l, n)
			n.name(t, "192.0.2.1")
			if len(n.ifc.OwnAddresses()) != 1 {
				t.Errorf("it is deleted, and there are %+v", n.ifc.OwnAddresses())
			}
		})
	})
	t.Run("withdrawn and taken down", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			named(n, acd.Policy{})
			l.stranger(macPeer).claim()
			n.name(t, "192.0.2.1")
			side.forget()
			n.ifc.SetPolicy(ip(candidate), acd.Policy{Defend: acd.DefendNever})
			n.in(t, candidate, acd.Duplicate)
			n.ifc.SetPolicy(ip(candidate), off)
			side.expect("off", candidate+" usable")
			n.name(t, "192.0.2.1") // it is not put back yet
			exempt(l, n)
			named(n, off)
			n.in(t, candidate, acd.Exempt)
			n.name(t, "192.0.2.1")
			if len(n.ifc.OwnAddresses()) != 1 {
				t.Errorf("it is deleted, and there are %+v", n.ifc.OwnAddresses())
			}
			n.ifc.SetPolicy(ip(candidate), off) // of an address that is not there
		})
	})
	t.Run("on again", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			named(n, off)
			time.Sleep(time.Minute)
			n.in(t, candidate, acd.Exempt)
			side.forget()
			l.forget()
			named(n, acd.Policy{Defend: acd.DefendNever})
			time.Sleep(time.Minute)
			l.expect(n, "on", "announce "+candidate)
			n.in(t, candidate, acd.Verified)
			side.expect("on", candidate+" usable")
			l.stranger(macPeer).claim()
			n.in(t, candidate, acd.Duplicate)
		})
	})
	t.Run("without ARP", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, _ := l.addressed()
			named(n, off)
			n.ifc.SetMode(host.Off)
			named(n, acd.Policy{})
			n.in(t, candidate, acd.Exempt)
			n.ifc.SetMode(host.On)
			n.in(t, candidate, acd.Reprobing)
		})
	})
}
