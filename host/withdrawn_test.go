package host_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// TestAddressingWithdrawn has the rules by which the lists of addresses and a
// withdrawn address keep step.
func TestAddressingWithdrawn(t *testing.T) {
	// withdrawn is a host whose candidate is withdrawn, and still on the interface.
	withdrawn := func(l *lan) (*node, *ipSide) {
		n, side := l.addressed()
		n.name(l.t, "192.0.2.1", candidate)
		l.stranger(macPeer).claim()
		side.expect("withdrawn", candidate+" suspended", candidate+" withdrawn "+macPeer)
		return n, side
	}
	t.Run("naming it before it is taken off changes nothing", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1", candidate)
			n.name(t, candidate, "192.0.2.1", "192.0.2.7")
			n.in(t, candidate, acd.Duplicate)
			side.expect("named", "192.0.2.7 suspended")
		})
	})
	t.Run("absence does not release it", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.in(t, candidate, acd.Duplicate)
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			side.expect("recovered", candidate+" usable")
		})
	})
	t.Run("naming it after it was absent is somebody else's", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.name(t, "192.0.2.1", candidate)
			n.in(t, candidate, acd.Probing)
			side.expect("named again", candidate+" suspended")
			time.Sleep(20 * time.Second)
			side.expect("verified", candidate+" usable")
			if n.count(event.Recovered) != 0 {
				t.Error("it is recovered")
			}
		})
	})
	t.Run("absence does not release it before it is put back", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.tune(t, "dup_recovery", 1000)
			for n.ownAddress(candidate).State != acd.Announcing {
				time.Sleep(100 * ms)
			}
			n.name(t, "192.0.2.1") // the IP side has not come to it
			n.in(t, candidate, acd.Announcing)
			if len(n.ifc.Addresses()) != 2 {
				t.Errorf("addresses %v", n.ifc.Addresses())
			}
			side.expect("recovered", candidate+" usable")
			n.name(t, "192.0.2.1", candidate)
			n.name(t, "192.0.2.1")
			side.expect("absent after it was put back", candidate+" released")
			n.in(t, candidate, acd.None)
		})
	})
	t.Run("withdrawn again before it is named", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.tune(t, "dup_recovery", 1000)
			for n.ownAddress(candidate).State != acd.Announcing {
				time.Sleep(100 * ms)
			}
			s := l.stranger(macThird)
			for range 4 {
				s.claim()
				time.Sleep(ms)
			}
			n.name(t, "192.0.2.1", candidate) // the IP side had put it back
			side.expect("withdrawn again", candidate+" usable", candidate+" withdrawn "+macThird)
			n.name(t, "192.0.2.1")
			n.name(t, "192.0.2.1", candidate)
			side.expect("named after it was taken down", candidate+" suspended")
		})
	})
	t.Run("forsaken", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.ifc.Forsake(ip(candidate))
			side.expect("forsaken", candidate+" released")
			n.in(t, candidate, acd.None)
			n.name(t, "192.0.2.1", candidate)
			side.expect("there again", candidate+" suspended")
		})
	})
	t.Run("forsaken after it was restored", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			side.set(0, func(u host.OwnAddress) {
				if u.Usage == host.Usable {
					n.ifc.Forsake(u.Address.Prefix.Addr())
				}
			})
			time.Sleep(7 * time.Minute)
			side.expect("recovered", candidate+" usable", candidate+" released")
			l.forget()
			l.stranger(macPeer).ask(candidate, "192.0.2.9")
			l.expect(n, "asked for it")
			if len(n.ifc.Addresses()) != 1 {
				t.Errorf("addresses %v", n.ifc.Addresses())
			}
		})
	})
	t.Run("in use it is not forsaken", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			n.ifc.Forsake(ip("192.0.2.1"))
			n.ifc.Forsake(ip("192.0.2.77"))
			side.expect("forsaken")
			n.in(t, "192.0.2.1", acd.Verified)
		})
	})
	t.Run("put back by the IP side when it is told", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			// As the takeover does: the kernel's list follows, and comes back to the host.
			side.set(0, func(u host.OwnAddress) {
				list := []host.Address{{Prefix: prefix("192.0.2.1/24")}}
				if u.Usage == host.Usable {
					list = append(list, u.Address)
				}
				if err := n.ifc.SetAddresses(list); err != nil {
					t.Error(err)
				}
			})
			n.name(t, "192.0.2.1")
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			s := l.stranger(macThird)
			for range 4 {
				s.claim()
				time.Sleep(time.Second)
			}
			n.in(t, candidate, acd.Duplicate)
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			side.expect("twice", candidate+" usable", candidate+" withdrawn "+macThird, candidate+" usable")
		})
	})
}

// TestResume: what an earlier run has withdrawn is tried at once.
func TestResume(t *testing.T) {
	resumed := host.Address{Prefix: prefix(candidate + "/24"), Label: "e0:vip"}
	owner := lladdr.MustParse(macPeer)
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		if err := n.ifc.Resume(resumed, owner); err != nil {
			t.Fatal(err)
		}
		if o := n.ownAddress(candidate); o.Usage != host.Withdrawn || o.Owner != owner || o.Address != resumed {
			t.Errorf("%+v", o)
		}
		if len(n.ifc.Addresses()) != 1 {
			t.Errorf("addresses %v", n.ifc.Addresses())
		}
		side.expect("resumed")
		time.Sleep(20 * time.Second)
		side.expect("tried at once", candidate+" usable")
		if got, want := n.message(event.Recovered), "Recovered address 192.0.2.5 on e0:vip."; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for _, tt := range []struct {
			address string
			want    error
		}{{"192.0.2.1/24", syscall.EEXIST}, {candidate + "/24", syscall.EEXIST}, {"224.0.0.1/24", syscall.EINVAL}, {"0.0.0.0/0", syscall.EINVAL}} {
			if err := n.ifc.Resume(host.Address{Prefix: prefix(tt.address)}, owner); !errors.Is(err, tt.want) {
				t.Errorf("resuming %s: %v, want %v", tt.address, err, tt.want)
			}
		}
		n.ifc.SetDAD(false, acd.ReprobeAnnounce)
		if err := n.ifc.Resume(host.Address{Prefix: prefix("192.0.2.9/24")}, owner); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("without DAD: %v", err)
		}
	})
	t.Run("without link", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed(func(c *host.InterfaceConfig) { c.Down = true })
			if err := n.ifc.Resume(resumed, owner); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			n.in(t, candidate, acd.Duplicate)
			n.ifc.SetRunning(true)
			time.Sleep(20 * time.Second)
			side.expect("tried with the link", candidate+" usable")
		})
	})
	t.Run("somebody else puts it there", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed(func(c *host.InterfaceConfig) { c.Down = true })
			if err := n.ifc.Resume(resumed, owner); err != nil {
				t.Fatal(err)
			}
			n.name(t, "192.0.2.1", candidate)
			n.in(t, candidate, acd.Probing)
			side.expect("named", candidate+" suspended")
		})
	})
}
