package daemon

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// slow is a kernel that takes its time.
type slow struct{ has atomic.Int32 }

func (s *slow) Update(updates []host.Neighbour) {
	time.Sleep(time.Second)
	for _, u := range updates {
		if u.State == host.Gone {
			s.has.Add(-1)
		} else {
			s.has.Add(1)
		}
	}
}

// TestChangedForAll deletes entries: who is told that they are gone can count on the
// kernel's not having them any more.
func TestChangedForAll(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.9")
	deletions := map[string]func(*Daemon) error{
		"one": func(d *Daemon) error { return d.remove("e0", ip, false) },
		"all": func(d *Daemon) error { _, err := d.DeleteEntries(t.Context(), "e0"); return err },
	}
	for name, remove := range deletions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var kernel slow
				lan := segment.New(segment.Options{})
				defer lan.Close()
				d := newDaemon()
				d.takeover = new(takeover.Manager)
				d.host = host.New(host.Config{Neighbours: &kernel})
				mac := lladdr.MustParse("02:00:00:00:00:01")
				_, err := d.host.Attach(host.InterfaceConfig{
					Name: "e0", Index: 1, MAC: mac, Port: lan.Port(mac), Addresses: []host.Address{{Prefix: netip.MustParsePrefix("192.0.2.1/24")}},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ran := make(chan error, 1)
				go func() { ran <- d.host.Run(ctx) }()
				defer func() { cancel(); <-ran }()
				if _, err := d.host.Set(host.Change{IP: ip, MAC: lladdr.MustParse("02:00:00:00:00:09"), Origin: host.Administrator}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if kernel.has.Load() != 1 {
					t.Fatal("the kernel does not have the entry, so the test shows nothing")
				}
				if err := remove(d); err != nil {
					t.Fatal(err)
				}
				if kernel.has.Load() != 0 {
					t.Error("it is done, and the kernel has the entry")
				}
			})
		})
	}
}
