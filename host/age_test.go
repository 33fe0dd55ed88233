package host_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
)

// TestAge lets an answered entry age with lookups at chosen seconds while its
// owner is silent, and says when requests go out and when it is gone.
func TestAge(t *testing.T) {
	for _, tt := range []struct {
		name     string
		lookups  []int // seconds after the answer
		requests []int
		gone     int
	}{
		{"not used", nil, nil, 1200},
		{"used once, long ago", []int{100}, nil, 1200},
		{"used before the window", []int{1194}, nil, 1200},
		{"used at the begin of the window", []int{1195}, []int{1195, 1196, 1197, 1198, 1199}, 1200},
		{"used at the last moment", []int{1199}, []int{1199, 1200, 1201, 1202, 1203}, 1204},
		{"used all the time", []int{1195, 1196, 1197, 1198, 1199}, []int{1195, 1196, 1197, 1198, 1199}, 1200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
				start := time.Now()
				l.forget()
				for _, s := range tt.lookups {
					// A moment after the second, so that the timers of it have fired.
					time.Sleep(time.Until(start.Add(time.Duration(s)*time.Second + time.Millisecond)))
					if _, ok := a.Lookup(ip("192.0.2.9")); !ok {
						t.Errorf("no entry after %d s", s)
					}
				}
				time.Sleep(time.Until(start.Add(time.Duration(tt.gone)*time.Second - time.Millisecond)))
				a.entry(t, "192.0.2.9")
				time.Sleep(4 * time.Millisecond)
				a.none(t, "192.0.2.9")
				var got []int
				for _, at := range l.requests(ip("192.0.2.9")) {
					got = append(got, int(at.Sub(start)/time.Second))
				}
				if len(got) != len(tt.requests) {
					t.Fatalf("requests at %v, want %v", got, tt.requests)
				}
				for i := range got {
					if got[i] != tt.requests[i] {
						t.Errorf("requests at %v, want %v", got, tt.requests)
					}
				}
				if got := a.Stats().Timeouts; got != 1 {
					t.Errorf("timeouts %d, want 1", got)
				}
			})
		})
	}
}

// TestAgeWithPeer: any packet of the owner starts max_age anew, and Validated is
// told when it was asked.
func TestAgeWithPeer(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		for range 10 {
			time.Sleep(1000 * time.Second)
			s.ask("192.0.2.77", "192.0.2.9") // not even for us
		}
		if e := a.entry(t, "192.0.2.9"); e.State != cache.Reachable || time.Until(e.Expires) != 1200*time.Second {
			t.Errorf("entry %v, expires in %v", e.State, time.Until(e.Expires))
		}
		time.Sleep(1197 * time.Second)
		if e := a.entry(t, "192.0.2.9"); e.State != cache.Verify {
			t.Errorf("entry %v near its end", e.State)
		}
		s.ask("192.0.2.77", "192.0.2.9")
		if n := a.count(event.Validated); n != 1 {
			t.Errorf("%d events validated, want 1", n)
		}
	})
}

// TestTunablesOfRunningEntries changes max_age, wait and maxtries under entries.
func TestTunablesOfRunningEntries(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		time.Sleep(50 * time.Second)
		a.set(t, "max_age", 60)
		time.Sleep(9 * time.Second)
		a.entry(t, "192.0.2.9")
		time.Sleep(time.Second)
		a.none(t, "192.0.2.9")

		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		a.set(t, "max_age", 600)
		time.Sleep(599 * time.Second)
		a.entry(t, "192.0.2.9")

		if err := a.Output(packet(ip("192.0.2.50"), 1)); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		a.set(t, "wait", 5)
		time.Sleep(time.Second)
		a.entry(t, "192.0.2.50")
		time.Sleep(time.Second)
		a.none(t, "192.0.2.50")

		wait := a.waiting(l.t.Context(), "192.0.2.51")
		time.Sleep(2500 * time.Millisecond) // three requests are out
		a.set(t, "maxtries", 2)
		synctest.Wait()
		select {
		case <-wait:
			t.Error("failed at once, not a second after the last request")
		default:
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		select {
		case err := <-wait:
			if err == nil {
				t.Error("resolved a silent host")
			}
		default:
			t.Error("still waits with maxtries 2 after three requests")
		}
	})
}

// TestTunablesBeforeRun hold too.
func TestTunablesBeforeRun(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.still(host.Config{}, macHost, "192.0.2.1/24")
		a.set(t, "max_age", 60)
		a.run(l.t)
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		if e := a.entry(t, "192.0.2.9"); time.Until(e.Expires) != time.Minute {
			t.Errorf("expires in %v", time.Until(e.Expires))
		}
	})
}

// TestResolveAgain asks a host that is down again and again: one request a second
// at the most, and an error each time.
func TestResolveAgain(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		start := time.Now()
		errors := 0
		for time.Since(start) < 60*time.Second {
			if _, err := a.Resolve(l.t.Context(), ip("192.0.2.9")); err != nil {
				errors++
			}
		}
		requests := l.requests(ip("192.0.2.9"))
		for i := 1; i < len(requests); i++ {
			if gap := requests[i].Sub(requests[i-1]); gap != time.Second {
				t.Errorf("request %d %v after the one before", i, gap)
			}
		}
		if len(requests) != 60 || errors != 56 {
			t.Errorf("%d requests and %d errors in a minute, want 60 and 56", len(requests), errors)
		}
		if n := a.count(event.Unanswered); n != 1 {
			t.Errorf("%d events unanswered, want 1", n)
		}
	})
}

// TestResolveMany: any number of programs wait for one entry, which is asked for
// once a second.
func TestResolveMany(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		done := make(chan error)
		for range 200 {
			go func() { _, err := a.Resolve(l.t.Context(), ip("192.0.2.2")); done <- err }()
		}
		time.Sleep(1500 * time.Millisecond)
		l.host(macPeer, "192.0.2.2/24")
		for range 200 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := len(l.requests(ip("192.0.2.2"))); n != 3 {
			t.Errorf("%d requests, want 3", n)
		}
	})
}
