package host_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// TestSetDAD switches detection on and off.
func TestSetDAD(t *testing.T) {
	t.Run("on", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			side := &ipSide{t: l.t}
			n := l.still(host.Config{Addressing: side}, macHost, "")
			n.run(l.t)
			n.set(t, "garp_rexmit_count", 16)
			n.name(t, "192.0.2.1", candidate)
			l.expect(n, "FreeBSD's", "announce 192.0.2.1", "announce "+candidate)
			side.expect("without DAD")
			n.ifc.SetDAD(true, acd.ReprobeStrict)
			time.Sleep(4 * time.Minute)
			l.expect(n, "on", "announce 192.0.2.1", "announce "+candidate)
			side.expect("on", "192.0.2.1 usable", candidate+" usable")
			n.in(t, candidate, acd.Verified)
			n.ifc.SetDAD(true, acd.ReprobeStrict)
			l.expect(n, "on again")
			n.ifc.SetRunning(false)
			n.ifc.SetRunning(true)
			n.in(t, candidate, acd.Probing)
		})
	})
	// away ends detection in one of the ways.
	for how, away := range map[string]func(*node){
		"off":       func(n *node) { n.ifc.SetDAD(false, acd.ReprobeAnnounce) },
		"observing": func(n *node) { n.ifc.SetMode(host.Watch) },
	} {
		t.Run(how, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, side := l.addressed()
				n.name(t, "192.0.2.1", candidate, "192.0.2.6")
				s := l.stranger(macPeer)
				s.claim() // it is withdrawn, and there
				n.name(t, "192.0.2.1", candidate, "192.0.2.6", "192.0.2.7")
				s.ask("192.0.2.7", "192.0.2.7")
				n.name(t, "192.0.2.1", candidate, "192.0.2.6") // withdrawn, and gone
				side.forget()
				l.forget()
				away(n)
				side.expect(how, "192.0.2.1 released", candidate+" released", "192.0.2.6 released", "192.0.2.7 released")
				var left []string
				for _, o := range n.ifc.OwnAddresses() {
					left = append(left, fmt.Sprint(o.Address.Prefix, " ", o.Usage, " ", o.State))
				}
				if want := []string{"192.0.2.1/24 usable exempt", "192.0.2.5/24 usable exempt", "192.0.2.6/24 usable exempt"}; !slices.Equal(left, want) {
					t.Errorf("left %q, want %q", left, want)
				}
				if a := n.ifc.Addresses(); len(a) != 3 || a[1].Prefix != prefix("192.0.2.5/24") {
					t.Errorf("addresses %v", a)
				}
				time.Sleep(time.Hour)
				l.expect(n, "in an hour")
				if how == "observing" {
					n.ifc.SetMode(host.On)
					time.Sleep(20 * time.Second)
					n.in(t, candidate, acd.Verified)
					if got := l.did(n); count(got, "announce "+candidate) != 5 || count(got, "probe "+candidate) != 3 {
						t.Errorf("on again: %q", got)
					}
					return
				}
				s.claim()
				l.expect(n, "a claim is answered", "reply "+candidate)
			})
		})
	}
	t.Run("no ARP", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			n.name(t, "192.0.2.1", candidate, "192.0.2.6")
			l.stranger(macPeer).claim()
			side.expect("prelude", candidate+" suspended", "192.0.2.6 suspended", candidate+" withdrawn "+macPeer)
			l.forget()
			n.ifc.SetMode(host.Off)
			side.expect("no ARP", "192.0.2.1 usable", "192.0.2.6 usable")
			n.in(t, "192.0.2.6", acd.Exempt)
			n.name(t, "192.0.2.1", candidate, "192.0.2.6", "192.0.2.7")
			side.expect("a new one", "192.0.2.7 usable")
			time.Sleep(time.Hour)
			l.expect(n, "in an hour")
			n.in(t, candidate, acd.Duplicate)
			n.ifc.SetMode(host.Static)
			time.Sleep(20 * time.Second)
			side.expect("ARP again", "192.0.2.1 usable", "192.0.2.6 usable", "192.0.2.7 usable", candidate+" usable")
			n.in(t, "192.0.2.7", acd.Verified)
			n.in(t, candidate, acd.Verified)
			l.forget()
			n.ifc.SetMode(host.On)
			time.Sleep(time.Minute)
			l.expect(n, "static or on is the same to it")
		})
	})
}
