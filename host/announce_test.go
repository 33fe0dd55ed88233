package host_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
)

// TestAnnounceNewAddress has the times of facts/freebsd-arp.md 5.2.
func TestAnnounceNewAddress(t *testing.T) {
	for _, tt := range []struct {
		count int64
		want  []int // seconds
	}{
		{0, []int{0}}, {1, []int{0, 1}}, {4, []int{0, 1, 3, 7, 15}}, {6, []int{0, 1, 3, 7, 15, 31, 63}},
	} {
		onLAN(t, func(l *lan) {
			a := l.host(macHost, "192.0.2.1/24")
			a.set(t, "garp_rexmit_count", tt.count)
			if sent := l.from(a); len(sent) != 0 {
				t.Errorf("an address that was there at the start was announced")
			}
			start := time.Now()
			if err := a.ifc.SetAddresses(append(a.ifc.Addresses(), host.Address{Prefix: prefix("192.0.2.5/24")})); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			var got []int
			synctest.Wait()
			for _, s := range l.sent {
				if s.arp.SenderIP == ip("192.0.2.5") {
					got = append(got, int(s.at.Sub(start)/time.Second))
				}
			}
			l.announced(t, a) // checks the form
			if !slices.Equal(got, tt.want) {
				t.Errorf("garp_rexmit_count %d: announced at %v, want %v", tt.count, got, tt.want)
			}
			if n := a.count(event.Announced); n != len(tt.want) {
				t.Errorf("%d events announced, want %d", n, len(tt.want))
			}
			if s := a.Stats(); s.TxRequests != uint64(len(tt.want)) {
				t.Errorf("txrequests %d, want %d", s.TxRequests, len(tt.want))
			}
		})
	}
}

// TestAnnounceEnds: repetitions end with the address, the link and the interface.
func TestAnnounceEnds(t *testing.T) {
	for _, how := range []string{"address", "link", "interface", "mode"} {
		t.Run(how, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				a.set(t, "garp_rexmit_count", 10)
				one := a.ifc.Addresses()
				if err := a.ifc.SetAddresses(append(one, host.Address{Prefix: prefix("192.0.2.5/24")})); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				l.forget()
				var err error
				switch how {
				case "address":
					err = a.ifc.SetAddresses(one)
				case "link":
					a.ifc.SetRunning(false)
				case "interface":
					err = a.ifc.Detach()
				case "mode":
					a.ifc.SetMode(host.Watch)
				}
				if err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour)
				if sent := l.from(a); len(sent) != 0 {
					t.Errorf("%d frames after the end", len(sent))
				}
			})
		})
	}
}

func TestAnnounce(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("198.51.100.1/24")})
		})
		if err := a.ifc.Announce(); err != nil {
			t.Error(err)
		}
		if got := l.announced(t, a); !slices.Equal(got, []string{"192.0.2.1", "198.51.100.1"}) {
			t.Errorf("announced %v", got)
		}
		l.forget()
		if err := a.ifc.Announce(ip("198.51.100.1"), ip("192.0.2.9")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("%v, want EADDRNOTAVAIL", err)
		}
		if got := l.announced(t, a); len(got) != 0 {
			t.Errorf("announced %v though one was not ours", got)
		}
		a.ifc.SetMode(host.Watch)
		if err := a.ifc.Announce(); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("%v, want EOPNOTSUPP", err)
		}
	})
}

// TestOwnAddressOfNeighbour: an address that becomes our own has no entry any more.
func TestOwnAddressOfNeighbour(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		a.entry(t, "192.0.2.9")
		if err := a.ifc.SetAddresses(append(a.ifc.Addresses(), host.Address{Prefix: prefix("192.0.2.9/24")})); err != nil {
			t.Fatal(err)
		}
		if n := a.count(event.Deleted); n != 1 {
			t.Errorf("%d events deleted, want 1", n)
		}
		for _, e := range a.Entries() {
			if !e.Own {
				t.Errorf("there is %+v", e)
			}
		}
	})
}
