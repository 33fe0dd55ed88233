package host_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// ordered is a permanent entry whose packets do not go to its address.
func ordered(address string, a host.Action) host.Change {
	return host.Change{IP: ip(address), MAC: lladdr.MustParse(macThird), Origin: host.Administrator, Action: a}
}

// TestAction has what packets and programs get from reject and blackhole entries,
// of a destination and of a gateway, permanent and for a time.
func TestAction(t *testing.T) {
	for _, tt := range []struct {
		action            host.Action
		gateway           bool
		output, resolving error
	}{
		{host.Reject, false, syscall.EHOSTDOWN, syscall.EHOSTDOWN},
		{host.Reject, true, syscall.EHOSTUNREACH, syscall.EHOSTUNREACH},
		{host.Blackhole, false, nil, syscall.EHOSTUNREACH},
		{host.Blackhole, true, nil, syscall.EHOSTUNREACH},
	} {
		for _, temporary := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.action, " gateway ", tt.gateway, " temporary ", temporary), func(t *testing.T) {
				onLAN(t, func(l *lan) {
					a := l.host(macHost, "192.0.2.1/24")
					b := l.host(macThird, "192.0.2.9/24", func(c *host.InterfaceConfig) { c.MAC = lladdr.MustParse(macThird) })
					to := b.ip
					if tt.gateway {
						if err := a.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: b.ip}); err != nil {
							t.Fatal(err)
						}
						to = ip("203.0.113.5")
					}
					sends := func(when string, want error) {
						t.Helper()
						before := a.port.Stats().Sent
						err := a.Output(packet(to, 1))
						if !errors.Is(err, want) || want == nil && err != nil {
							t.Errorf("%s: %v, want %v", when, err, want)
						}
						a.ifc.Output([][]byte{packet(to, 1)}, func(_ []byte, e error) { err = e })
						if !errors.Is(err, want) {
							t.Errorf("%s: by the interface %v, want %v", when, err, want)
						}
						if err != nil && strings.Contains(err.Error(), "does not answer") {
							t.Errorf("%s: %v, but nobody was asked", when, err)
						}
						if got := a.port.Stats().Sent - before; got != 0 {
							t.Errorf("%s: %d frames were sent", when, got)
						}
					}
					c := ordered("192.0.2.9", tt.action)
					c.Temporary = temporary
					a.must(t, c)
					sends("set", tt.output)
					if mac, ok := a.Lookup(to); ok {
						t.Errorf("looked up %v", mac)
					}
					if _, err := a.Resolve(l.t.Context(), to); !errors.Is(err, tt.resolving) {
						t.Errorf("resolving: %v, want %v", err, tt.resolving)
					}
					b.ifc.Announce()
					l.stranger(macPeer).answer(a, "192.0.2.9")
					sends("after its owner and another spoke", tt.output)
					if e := a.entry(t, "192.0.2.9"); e.MAC.String() != macThird || e.Held != 0 || temporary != !e.Expires.IsZero() {
						t.Errorf("%+v", e)
					}
					a.ifc.SetRunning(false)
					a.ifc.SetRunning(true)
					synctest.Wait()
					sends("after the link was down", tt.output)
					if temporary {
						time.Sleep(1199 * time.Second)
						sends("before its time is over", tt.output)
						time.Sleep(time.Second)
						a.none(t, "192.0.2.9")
						if n := a.count(event.Expired); n != 1 {
							t.Errorf("%d events expired", n)
						}
					} else {
						time.Sleep(24 * time.Hour)
						sends("a day later", tt.output)
						c.Action = host.Forward
						a.must(t, c)
					}
					if err := a.Output(packet(to, 9)); err != nil {
						t.Error(err)
					}
					synctest.Wait()
					if got := b.data(); len(got) != 1 || got[0] != 9 {
						t.Errorf("the owner got %v, want the last packet", got)
					}
					a.must(t, c, ordered("192.0.2.9", tt.action))
					sends("over another", tt.output)
					if err := a.Delete("", b.ip); err != nil {
						t.Error(err)
					}
					if mac, err := a.Resolve(l.t.Context(), to); err != nil || mac != b.mac {
						t.Errorf("deleted, resolved %v, %v", mac, err)
					}
				})
			})
		}
	}
}

// TestActionReleases: whoever waits for an address that is rejected meanwhile gets
// the error, and what was held is dropped.
func TestActionReleases(t *testing.T) {
	for action, want := range map[host.Action]error{host.Reject: syscall.EHOSTDOWN, host.Blackhole: syscall.EHOSTUNREACH} {
		onLAN(t, func(l *lan) {
			a := l.host(macHost, "192.0.2.1/24")
			wait := a.waiting(context.Background(), "192.0.2.9")
			if err := a.Output(packet(ip("192.0.2.9"), 1)); err != nil {
				t.Error(err)
			}
			before := a.port.Stats().Sent
			a.must(t, ordered("192.0.2.9", action))
			if err := <-wait; !errors.Is(err, want) {
				t.Errorf("%v: whoever waits gets %v, want %v", action, err, want)
			}
			if s := a.Stats(); s.Dropped != 1 || a.port.Stats().Sent != before {
				t.Errorf("%v: %d packets dropped, %d frames sent, want 1 and none", action, s.Dropped, a.port.Stats().Sent-before)
			}
		})
	}
}

// TestActionTold: the IP side hears what becomes of packets, and again when it has
// lost that; nobody is asked.
func TestActionTold(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		temp := ordered("192.0.2.10", host.Blackhole)
		temp.Temporary = true
		n.must(t, ordered("192.0.2.9", host.Reject))
		k.expect(t, "set", "192.0.2.9 refused "+macThird)
		n.must(t, temp)
		k.expect(t, "for a time", "192.0.2.10 discarded "+macThird)
		for _, address := range []string{"192.0.2.9", "192.0.2.10"} {
			n.miss(address)
			n.ifc.Used(ip(address))
		}
		k.expect(t, "missed", "192.0.2.9 refused "+macThird, "192.0.2.10 discarded "+macThird)
		n.ifc.SetRunning(false)
		n.ifc.SetRunning(true)
		if got := k.take(); len(got) != 2 {
			t.Errorf("the link was down: told %q", got)
		}
		if all := n.ifc.Bindings(); len(all) != 2 {
			t.Errorf("bindings %v", all)
		}
		time.Sleep(1199 * time.Second)
		n.miss("192.0.2.10")
		n.ifc.Used(ip("192.0.2.10"))
		k.take()
		time.Sleep(time.Second)
		k.expect(t, "its time is over", "192.0.2.10 gone")
		n.must(t, admin("192.0.2.9", macThird))
		k.expect(t, "packets go there", "192.0.2.9 fixed "+macThird)
		n.must(t, ordered("192.0.2.9", host.Blackhole))
		k.expect(t, "not any more", "192.0.2.9 discarded "+macThird)
		if err := n.Delete("", ip("192.0.2.9")); err != nil {
			t.Error(err)
		}
		k.expect(t, "deleted", "192.0.2.9 gone")
		if got := append(l.requests(ip("192.0.2.9")), l.requests(ip("192.0.2.10"))...); len(got) != 0 {
			t.Errorf("%d requests", len(got))
		}
	})
}

// TestActionPublished: an entry may be published and reject its packets.
func TestActionPublished(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		for action, want := range map[host.Action]string{
			host.Reject:    "reject U%sRLS2",
			host.Blackhole: "blackhole U%sLS2B",
		} {
			c := ordered("192.0.2.9", action)
			c.Publish = host.Published
			a.must(t, c)
			c.Publish = host.PublishedOnly
			a.must(t, c)
			a.expectListed(t, "192.0.2.9", macThird+" permanent true "+fmt.Sprintf(want, ""), macThird+" permanent only "+fmt.Sprintf(want, "H"))
			if err := a.Output(packet(ip("192.0.2.9"), 1)); (action == host.Reject) != errors.Is(err, syscall.EHOSTDOWN) {
				t.Errorf("%v: %v", action, err)
			}
		}
		if got := a.port.Stats().Sent; got != 2 {
			t.Errorf("%d frames sent, want the two announcements", got)
		}
	})
}
