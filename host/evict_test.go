package host_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// TestFlood: senders with made-up addresses do not push out what is in use, what
// somebody waits for, or what the administrator has set.
func TestFlood(t *testing.T) {
	for _, room := range []int64{8, 100} { // fewer and more than a sample
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "10.0.0.1/8")
				a.set(t, "max_entries", room)
				s := l.stranger(macPeer)
				used := []string{"10.1.0.1", "10.1.0.2", "10.1.0.3"}
				for _, address := range used {
					s.ask("10.0.0.1", address)
					a.Lookup(ip(address))
				}
				if _, err := a.Set(admin("10.2.0.1", macThird)); err != nil {
					t.Fatal(err)
				}
				wait := a.waiting(l.t.Context(), "10.3.0.1")
				for i := range 2000 {
					s.ask("10.0.0.1", fmt.Sprintf("10.9.%d.%d", i/250, i%250+1))
				}
				for _, address := range used {
					if _, ok := a.Lookup(ip(address)); !ok {
						t.Errorf("%s, which is in use, was evicted", address)
					}
				}
				a.entry(t, "10.2.0.1")
				if e := a.entry(t, "10.3.0.1"); e.State != cache.Incomplete {
					t.Errorf("the entry that is waited for is %v", e.State)
				}
				if n := len(a.Entries()) - 2; n != int(room) { // own and permanent
					t.Errorf("%d dynamic entries, max_entries is %d", n, room)
				}
				stats := a.Stats()
				if got, want := stats.Evicted+stats.Refused, uint64(2000-(room-4)); got != want {
					t.Errorf("%d evicted and refused, want %d", got, want)
				}
				s.answer(a, "10.3.0.1")
				if err := <-wait; err != nil {
					t.Errorf("resolved among the flood: %v", err)
				}
			})
		})
	}
}

// TestNoRoom is a table full of what is in use.
func TestNoRoom(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		a.set(t, "max_entries", 4)
		s := l.stranger(macPeer)
		for i := 10; i < 14; i++ {
			address := fmt.Sprintf("192.0.2.%d", i)
			s.ask("192.0.2.1", address)
			a.Lookup(ip(address))
		}
		if _, err := a.Resolve(l.t.Context(), ip("192.0.2.99")); !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("resolving: %v, want ENOBUFS", err)
		}
		if err := a.Output(packet(ip("192.0.2.99"), 1)); !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("sending: %v, want ENOBUFS", err)
		}
		if _, err := a.Set(host.Change{IP: ip("192.0.2.98"), MAC: lladdr.MustParse(macThird)}); !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("adopting: %v, want ENOBUFS", err)
		}
		l.forget()
		s.ask("192.0.2.1", "192.0.2.97")
		if len(l.from(a)) != 1 {
			t.Error("a sender without an entry is not answered")
		}
		if got := a.Stats().Refused; got != 1 {
			t.Errorf("refused %d, want 1", got)
		}
		for _, c := range []host.Change{admin("192.0.2.90", macThird), {IP: ip("192.0.2.91"), MAC: lladdr.MustParse(macThird), Origin: host.Administrator, Temporary: true}} {
			if _, err := a.Set(c); err != nil {
				t.Errorf("the administrator is refused: %v", err)
			}
		}
		time.Sleep(1197 * time.Second) // the marks of use were taken
		if _, err := a.Resolve(l.t.Context(), ip("192.0.2.99")); !errors.Is(err, syscall.EHOSTDOWN) {
			t.Errorf("resolving with room: %v, want EHOSTDOWN", err)
		}
	})
}

// TestScan: who scans a network through us makes room of its own silent
// addresses.
func TestScan(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "10.0.0.1/8")
		a.set(t, "max_entries", 100)
		s := l.stranger(macPeer)
		for i := range 50 {
			address := fmt.Sprintf("10.1.0.%d", i+1)
			s.ask("10.0.0.1", address)
			a.Lookup(ip(address))
		}
		for i := range 5000 {
			if err := a.Output(packet(ip(fmt.Sprintf("10.9.%d.%d", i/250, i%250+1)), 1)); err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
			time.Sleep(time.Millisecond)
		}
		known := 0
		for _, e := range a.Entries() {
			if !e.Own && e.State.Usable() {
				known++
			}
		}
		if known != 50 {
			t.Errorf("%d of 50 neighbours left after a scan", known)
		}
	})
}
