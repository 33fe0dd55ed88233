package host_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
)

func TestResolveAsksOnce(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host("02:00:00:00:00:01", "192.0.2.1/24")
		b := l.host("02:00:00:00:00:02", "192.0.2.2/24")
		for range 3 {
			mac, err := a.Resolve(l.t.Context(), b.ip)
			if err != nil || mac != b.mac {
				t.Fatalf("resolved %v, %v; want %v", mac, err, b.mac)
			}
		}
		if n := len(l.requests(b.ip)); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		// The one who was asked learned too: the request was for it.
		if mac, ok := b.Lookup(a.ip); !ok || mac != a.mac {
			t.Errorf("the target has %v, %v for the sender, want %v", mac, ok, a.mac)
		}
		if mac, ok := a.Lookup(b.ip); !ok || mac != b.mac {
			t.Errorf("looked up %v, %v, want %v", mac, ok, b.mac)
		}
	})
}

func TestResolveSilentHost(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host("02:00:00:00:00:01", "192.0.2.1/24")
		silent := ip("192.0.2.9")
		start := time.Now()
		_, err := a.Resolve(l.t.Context(), silent)
		if !errors.Is(err, syscall.EHOSTDOWN) {
			t.Fatalf("error %v, want EHOSTDOWN", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("the error came after %v, want 5 s: maxtries requests a second apart", took)
		}
		at := l.requests(silent)
		if len(at) != 5 {
			t.Fatalf("%d requests, want 5", len(at))
		}
		for i, when := range at {
			if want := time.Duration(i) * time.Second; when.Sub(start) != want {
				t.Errorf("request %d after %v, want %v", i, when.Sub(start), want)
			}
		}
		if n := a.count(event.Unanswered); n != 1 {
			t.Errorf("%d events unanswered, want 1", n)
		}
		if e := a.Entry(silent); len(e) != 1 || e[0].State != cache.Down {
			t.Errorf("entry is %+v, want one that is down", e)
		}
		time.Sleep(20 * time.Second) // wait
		synctest.Wait()
		if e := a.Entry(silent); len(e) != 0 {
			t.Errorf("entry %+v is there 20 s after its last request", e)
		}
	})
}

func TestResolveGivesUpWithContext(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host("02:00:00:00:00:01", "192.0.2.1/24")
		ctx, cancel := context.WithTimeout(l.t.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := a.Resolve(ctx, ip("192.0.2.9")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want that of the context", err)
		}
		time.Sleep(10 * time.Second)
		if n := len(l.requests(ip("192.0.2.9"))); n != 2 {
			t.Errorf("%d requests, want 2: demand ended with the context", n)
		}
	})
}

// TestUsedEntryIsValidated lets max_age pass with and without use.
func TestUsedEntryIsValidated(t *testing.T) {
	for _, used := range []bool{true, false} {
		onLAN(t, func(l *lan) {
			a := l.host("02:00:00:00:00:01", "192.0.2.1/24")
			b := l.host("02:00:00:00:00:02", "192.0.2.2/24")
			if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
				t.Fatal(err)
			}
			lost := 0
			for range 1300 {
				time.Sleep(time.Second)
				if used {
					if _, ok := a.Lookup(b.ip); !ok {
						lost++
					}
				}
			}
			synctest.Wait()
			if used {
				if lost > 0 {
					t.Errorf("%d of 1300 lookups found nothing", lost)
				}
				if n := len(l.requests(b.ip)); n != 2 {
					t.Errorf("%d requests, want 2: one more before max_age", n)
				}
				if n := a.count(event.Validated); n != 1 {
					t.Errorf("%d events validated, want 1", n)
				}
			} else if e := a.Entry(b.ip); len(e) != 0 || a.count(event.Expired) != 1 {
				t.Errorf("unused entry is %+v with %d events expired after max_age", e, a.count(event.Expired))
			}
		})
	}
}
