package cache

import (
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// history drives an entry by its deadlines until it wants none, and returns the
// seconds at which it did something.
func (b *bench) history(t *testing.T, action Action) (seconds []float64) {
	t.Helper()
	for range 100 {
		for _, e := range b.effects {
			if e.Action == action {
				seconds = append(seconds, b.now.Sub(start).Seconds())
			}
		}
		if b.Deadline().IsZero() {
			return seconds
		}
		b.until()
	}
	t.Fatalf("the entry in state %v does not come to rest", b.State())
	return nil
}

func TestRequestTimes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits func(*Limits)
		begin  func(*bench)
		want   []float64
		end    float64 // seconds until it was removed
	}{
		{"a demand that lasts", nil, await, []float64{0, 1, 2, 3, 4}, 24},
		{"one packet", nil, demand, []float64{0}, 20},
		{"maxtries 1", func(l *Limits) { l.MaxTries = 1 }, await, []float64{0}, 20},
		{"maxtries 7, wait 3", func(l *Limits) { l.MaxTries = 7; l.Wait = 3 * time.Second }, await, []float64{0, 1, 2, 3, 4, 5, 6}, 9},
		{"never used", nil, answer(addrA), nil, 1200},
		{"used at the begin of Verify", nil, func(b *bench) { answer(addrA)(b); b.until(); use(b) }, []float64{1195, 1196, 1197, 1198, 1199}, 1200},
		{"used at the last moment", nil, func(b *bench) { answer(addrA)(b); b.until(); use(b.after(5*time.Second - 1)) },
			[]float64{1199.999999999, 1200.999999999, 1201.999999999, 1202.999999999, 1203.999999999}, 1204.999999999},
		{"max_age shorter than twice the window", func(l *Limits) { l.MaxAge = 6 * time.Second }, func(b *bench) { answer(addrA)(b); b.until(); use(b) },
			[]float64{3, 4, 5, 6, 7}, 8},
		{"a slow data path", func(l *Limits) { l.UseDelay = 10 * time.Second }, func(b *bench) { answer(addrA)(b); b.until(); use(b) },
			[]float64{1185, 1186, 1187, 1188, 1189}, 1190},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			if tt.limits != nil {
				tt.limits(&b.limits)
			}
			tt.begin(b)
			if got := b.history(t, Request); !slices.Equal(got, tt.want) {
				t.Errorf("requests at %v, want %v", got, tt.want)
			}
			if got := b.now.Sub(start).Seconds(); b.State() != None || got != tt.end {
				t.Errorf("it is %v after %v s, want it removed after %v s", b.State(), got, tt.end)
			}
		})
	}
}

// TestDemandSpacing is a burst: requests are a second apart whatever is sent.
func TestDemandSpacing(t *testing.T) {
	b := newBench()
	requests := 0
	for range 10_000 {
		demand(b)
		for _, e := range b.effects {
			if e.Action == Request {
				requests++
			}
		}
		b.after(time.Millisecond)
	}
	if requests != 10 {
		t.Errorf("%d requests in 10 s, want 10: one a second, never ending", requests)
	}
}

// TestExhausted is when a packet is an error: from the maxtries-th request on
// (facts/freebsd-arp.md 2.2 step 7 looks at the number before it asks).
func TestExhausted(t *testing.T) {
	b := newBench()
	for i := range 5 {
		if b.Exhausted() {
			t.Errorf("exhausted before request %d", i+1)
		}
		demand(b)
		b.after(time.Second)
	}
	if !b.Exhausted() || b.State() != Incomplete {
		t.Errorf("exhausted is %v in state %v after 5 requests", b.Exhausted(), b.State())
	}
	b.tick(0)
	if b.State() != Down {
		t.Errorf("state %v a second after the last request, want down", b.State())
	}
	demand(b)
	if b.Tries() != 6 {
		t.Errorf("%d tries, want 6: requests go on", b.Tries())
	}
	answer(addrA)(b)
	if b.Exhausted() || b.Tries() != 0 {
		t.Errorf("after an answer exhausted is %v with %d tries", b.Exhausted(), b.Tries())
	}
}

// TestLimitsChange has tunables that change under an entry.
func TestLimitsChange(t *testing.T) {
	for _, tt := range []struct {
		name   string
		begin  func(*bench)
		change func(*Limits)
		want   time.Duration // of the deadline, from the start
	}{
		{"max_age shorter", answer(addrA), func(l *Limits) { l.MaxAge = 100 * time.Second }, 95 * time.Second},
		{"max_age longer", answer(addrA), func(l *Limits) { l.MaxAge = 2400 * time.Second }, 2395 * time.Second},
		{"max_age longer while verifying", func(b *bench) { answer(addrA)(b); b.until() }, func(l *Limits) { l.MaxAge = 2400 * time.Second }, 2400 * time.Second},
		{"wait shorter", demand, func(l *Limits) { l.Wait = 2 * time.Second }, 2 * time.Second},
		{"maxtries lower than the requests", func(b *bench) { await(b); b.tick(time.Second).tick(time.Second) }, func(l *Limits) { l.MaxTries = 2 }, 3 * time.Second},
		{"maxtries longer window", answer(addrA), func(l *Limits) { l.MaxTries = 50 }, 1150 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			tt.begin(b)
			tt.change(&b.limits)
			if got := b.Deadline().Sub(start); got != tt.want {
				t.Errorf("deadline after %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLentAge(t *testing.T) {
	b := newBench()
	b.give(Input{Kind: Lend, Addr: addrA, Age: 1000 * time.Second})
	if got := b.Expires().Sub(start); got != 200*time.Second {
		t.Errorf("expires after %v, want 200 s: it was heard 1000 s ago", got)
	}
	b = newBench()
	b.give(Input{Kind: Lend, Addr: addrA, Age: time.Hour})
	b.until().until()
	if b.State() != None {
		t.Errorf("an entry that is an hour old is %v", b.State())
	}
}

func TestAbandon(t *testing.T) {
	b := newBench()
	await(b)
	b.tick(time.Second)
	if !b.Waited() {
		t.Fatal("nobody waits")
	}
	b.Abandon()
	if got := b.history(t, Request); len(got) != 1 {
		t.Errorf("requests at %v, want one at 1 s only", got)
	}
	if got := b.now.Sub(start); got != 21*time.Second {
		t.Errorf("removed after %v, want 21 s: wait after the last request", got)
	}
}

// TestUnsent: requests that could not be sent do not count.
func TestUnsent(t *testing.T) {
	b := newBench()
	await(b)
	for range 10 {
		b.Unsent()
		b.tick(RequestInterval)
	}
	if b.State() != Incomplete || b.Tries() != 1 {
		t.Errorf("%v after %d tries, want an incomplete entry after one", b.State(), b.Tries())
	}
	if got := b.history(t, Request); len(got) != 5 { // the one at 10 s included
		t.Errorf("requests at %v, want five", got)
	}
	b.Unsent() // of an entry without any
}

// TestLateUseByTick is an entry whose use is known only when its time is over.
func TestLateUseByTick(t *testing.T) {
	b := in(Verify)
	b.after(5 * time.Second).give(Input{Kind: Tick, Used: true})
	if b.State() != Verify || b.actions() != "request" {
		t.Errorf("used at the last moment it is %v with actions %q", b.State(), b.actions())
	}
}

func TestWord(t *testing.T) {
	long, _ := lladdr.FromSlice([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	for _, tt := range []struct {
		state                   State
		addr                    lladdr.Addr
		usable, longer, watched bool
	}{
		{None, lladdr.Addr{}, false, false, false},
		{Incomplete, lladdr.Addr{}, false, false, false},
		{Down, addrA, false, false, false},
		{Reachable, addrA, true, false, false},
		{Verify, addrA, true, false, true},
		{Permanent, lladdr.Broadcast(), true, false, false},
		{Reachable, long, true, true, false},
		{Verify, lladdr.MustParse("1f"), true, true, true},
	} {
		w := MakeWord(tt.state, tt.addr)
		if w.Usable() != tt.usable || w.Longer() != tt.longer || w.Watched() != tt.watched {
			t.Errorf("%v %v: usable %v longer %v watched %v", tt.state, tt.addr, w.Usable(), w.Longer(), w.Watched())
		}
		if w.Usable() && !w.Longer() && w.Addr() != tt.addr {
			t.Errorf("%v: address %v", tt.addr, w.Addr())
		}
	}
}
