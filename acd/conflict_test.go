package acd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
)

// TestConflictWhileProbing has the steps of facts/solaris-arp-ipmp.md 3.4.
func TestConflictWhileProbing(t *testing.T) {
	t.Run("step 1: a warning", func(t *testing.T) {
		b := in(t, Probing).hear(claim)
		if _, text := b.Diagnostic(b.effects[1], "eth0"); text != "eth0 has duplicate address 192.0.2.1 (in use by 02:00:00:00:00:66); disabled." {
			t.Error(text)
		}
	})
	t.Run("step 2: the address is withdrawn", func(t *testing.T) {
		b := in(t, Probing).hear(rival)
		b.want(t, Duplicate, "withdraw, report:duplicate")
		if b.State().Usable() || b.Owner() != theirs {
			t.Errorf("usable is %v, owner %v", b.State().Usable(), b.Owner())
		}
	})
	t.Run("step 3: tried again after dup_recovery, a fifth more or less", func(t *testing.T) {
		for chance, want := range map[constant]time.Duration{least: 240 * time.Second, middle: 300 * time.Second, greatest: 360 * time.Second} {
			b := newBench(Policy{})
			b.ifc.Rand = chance
			b.kind(Assign).claim()
			if d := b.Deadline().Sub(start); d.Round(time.Millisecond) != want {
				t.Errorf("the first try is after %v, want %v", d, want)
			}
		}
	})
	t.Run("step 3: dup_recovery 0 is never", func(t *testing.T) {
		b := in(t, Duplicate)
		b.config.DupRecovery = 0
		b.tick(24*time.Hour).silent(t, Duplicate)
		b.kind(LinkUp).silent(t, Duplicate)
	})
	t.Run("step 3: a temporary address is left to its daemon", func(t *testing.T) {
		b := inWith(t, Duplicate, Policy{Temporary: true})
		b.tick(24*time.Hour).silent(t, Duplicate)
		b.kind(LinkUp).silent(t, Duplicate)
	})
	t.Run("step 4: recovered", func(t *testing.T) {
		b := in(t, Duplicate)
		all := b.come(t, Announcing)
		if want := []string{"probe", "probe", "probe", "restore", "use", "report:recovered", "announce"}; !slices.Equal(all, want) {
			t.Errorf("it does %q, want %q", all, want)
		}
	})
	t.Run("step 4: a try that fails is silent, and repeated", func(t *testing.T) {
		b := in(t, Duplicate)
		for try := range 20 {
			if all := b.come(t, Recovering); len(all) != 0 {
				t.Fatalf("try %d: %q", try, all)
			}
			b.until().want(t, Recovering, "probe")
			b.hear(packet(arp.Reply, third, address, ours, nobody)).silent(t, Duplicate)
			if b.Owner() != third {
				t.Errorf("the owner is %v", b.Owner())
			}
		}
	})
	t.Run("step 5: link up is a try at once", func(t *testing.T) {
		b := in(t, Duplicate)
		b.ifc.SetLink(false)
		if d := b.Deadline(); !d.IsZero() {
			t.Errorf("deadline %v without link", d)
		}
		b.ifc.SetLink(true)
		b.kind(LinkUp).silent(t, Recovering)
		if probes := b.sent(Probe, 10*time.Second); len(probes) != 3 {
			t.Errorf("probes at %v", probes)
		}
	})
	t.Run("step 6: the administrator sets it up anew", func(t *testing.T) {
		in(t, Duplicate).kind(Assign).want(t, Probing, "suspend, report:probing")
	})
	t.Run("step 6: down cancels recovery", func(t *testing.T) {
		b := in(t, Duplicate).kind(Release)
		if d := b.Deadline(); b.State() != None || !d.IsZero() {
			t.Errorf("%v with deadline %v", b.State(), d)
		}
	})
	t.Run("step 7: at boot the same", func(t *testing.T) {
		b := newBench(Policy{})
		b.ifc.SetLink(false)
		b.kind(Assign)
		b.ifc.SetLink(true)
		b.kind(LinkUp).hear(claim).want(t, Duplicate, "withdraw, report:duplicate")
	})
}

// conflicts gives claims with seconds between them and tells what became of
// each: d defended, t tolerated, x given up.
func conflicts(b *bench, gaps ...float64) string {
	var all strings.Builder
	for _, gap := range gaps {
		d := time.Duration(gap * float64(time.Second))
		for end := b.now.Add(d); ; { // ticks on the way
			if next := b.Deadline(); next.IsZero() || next.After(end) {
				b.now = end
				break
			}
			b.until()
		}
		switch b.claim(); {
		case b.State() == Duplicate:
			all.WriteByte('x')
			return all.String()
		case slices.Contains(b.actions(), "report:defended"):
			all.WriteByte('d')
		case slices.Contains(b.actions(), "report:conflict"):
			all.WriteByte('t')
		}
	}
	return all.String()
}

// TestDefence has the steps of facts 3.6, and those of RFC 5227 section 2.4.
func TestDefence(t *testing.T) {
	const enough = 1e6
	for _, tt := range []struct {
		name   string
		policy Policy
		set    func(*bench)
		gaps   []float64
		want   string
	}{
		{"step 5: the 4th in a row", Policy{}, nil, []float64{enough, 1, 1, 1}, "dddx"},
		{"step 5: 30 s between two count", Policy{}, nil, []float64{enough, 30, 30, 30}, "dddx"},
		{"step 2: more than 30 s is anew", Policy{}, nil, []float64{enough, 1, 1, 30.000000001, 1, 1, 1}, "dddddd" + "x"},
		{"step 2: 31 s between all", Policy{}, nil, []float64{enough, 31, 31, 31, 31, 31}, "dddddd"},
		{"step 3: temporary, the 2nd", Policy{Temporary: true}, nil, []float64{enough, 1}, "dx"},
		{"step 3: max_defend 1", Policy{}, func(b *bench) { b.config.MaxDefend = 1 }, []float64{enough, 1}, "dx"},
		{"step 3: max_defend 0", Policy{}, func(b *bench) { b.config.MaxDefend = 0 }, []float64{enough}, "x"},
		{"step 3: max_temp_defend 0", Policy{Temporary: true}, func(b *bench) { b.config.MaxTempDefend = 0 }, []float64{enough}, "x"},
		{"conflict_window 5 s", Policy{}, func(b *bench) { b.config.ConflictWindow = 5 * time.Second }, []float64{enough, 1, 1, 5.1, 1}, "ddddd"},
		{"RFC 5227 2.4 (a): never", Policy{Defend: DefendNever}, nil, []float64{enough}, "x"},
		{"RFC 5227 2.4 (b): once in 10 s", Policy{Defend: DefendOnce}, nil, []float64{enough, 10.1, 10.1, 10}, "dddx"},
		{"RFC 5227 2.4 (c): always, once in 10 s", Policy{Defend: DefendAlways}, nil, []float64{enough, 1, 1, 8, 1, 1, 10.1}, "dtttdtd"},
		{"announce keeps it: solaris", Policy{Detect: DetectAnnounce}, nil, []float64{enough, 1, 1, 1, 1, 31, 1}, "dddttdd"},
		{"announce keeps it: never", Policy{Detect: DetectAnnounce, Defend: DefendNever}, nil, []float64{enough, 1, 100}, "ttt"},
		{"announce keeps it: once", Policy{Detect: DetectAnnounce, Defend: DefendOnce}, nil, []float64{enough, 1, 100}, "dtd"},
		{"not ours: only reported", Policy{Proxied: true}, nil, []float64{enough, 1, 100, 1}, "tttt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := inWith(t, Verified, tt.policy)
			if tt.set != nil {
				tt.set(b)
			}
			if got := conflicts(b, tt.gaps...); got != tt.want {
				t.Errorf("claims came to %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("step 1: pending announcements stop", func(t *testing.T) {
		b := in(t, Announcing).claim()
		if sent := b.sent(Announce, 4*time.Minute); len(sent) != 1 {
			t.Errorf("announced at %v, want the defence alone", sent)
		}
	})
	t.Run("step 4: one announcement, and the words", func(t *testing.T) {
		b := in(t, Verified).claim()
		b.want(t, Defending, "report:conflict, announce, report:defended")
		if _, text := b.Diagnostic(b.effects[2], "eth0"); text != "Node 02:00:00:00:00:66 is using our IP address 192.0.2.1 on eth0." {
			t.Error(text)
		}
	})
	t.Run("step 5: claimed by, and recovery as in 3.4", func(t *testing.T) {
		b := inWith(t, Verified, Policy{Defend: DefendNever}).claim()
		b.want(t, Duplicate, "report:conflict, withdraw, report:duplicate")
		if b.Deadline().IsZero() {
			t.Error("it is never tried again")
		}
	})
	t.Run("step 6: a completed detection resets the count", func(t *testing.T) {
		b := in(t, Verified)
		if got := conflicts(b, 1000, 1, 1); got != "ddd" {
			t.Fatal(got)
		}
		b.config.ConflictWindow = time.Hour
		b.after(pause).kind(LinkUp)
		b.come(t, Verified)
		if got := conflicts(b, 1, 1, 1, 1); got != "dddx" {
			t.Errorf("after it %q, want all defences again", got)
		}
	})
	t.Run("step 2: anew, though the owner's ticks are late", func(t *testing.T) {
		b := in(t, Verified)
		if got := conflicts(b, 1000, 1, 1); got != "ddd" {
			t.Fatal(got)
		}
		b.after(31*time.Second).claim().want(t, Defending, "report:conflict, announce, report:defended")
		if got := conflicts(b, 1, 1, 1); got != "ddx" {
			t.Errorf("after it %q", got)
		}
	})
	t.Run("step 2: what is over does not count in a longer window", func(t *testing.T) {
		b := in(t, Verified)
		if got := conflicts(b, 1000, 1, 1, 31); got != "dddd" {
			t.Fatal(got)
		}
		b.come(t, Verified)
		b.config.ConflictWindow = time.Hour
		if got := conflicts(b, 1, 1, 1, 1); got != "dddx" {
			t.Errorf("after it %q", got)
		}
	})
	t.Run("an address that is gone is forgotten", func(t *testing.T) {
		b := in(t, Verified)
		if got := conflicts(b, 1000, 1, 1); got != "ddd" {
			t.Fatal(got)
		}
		b.kind(Release).kind(Adopt)
		if got := conflicts(b, 1, 1, 1, 1); got != "dddx" {
			t.Errorf("after it %q", got)
		}
	})
	t.Run("conflict_window 0 does not keep the defence from being sent", func(t *testing.T) {
		b := in(t, Verified)
		b.config.ConflictWindow = 0
		b.ifc.pacer.send(b.ifc.moment(b.now)) // somebody else's frame
		b.claim().want(t, Defending, "report:conflict")
		b.until().want(t, Verified, "announce, report:defended")
	})
	t.Run("tolerated: the announcement that waits is not sent", func(t *testing.T) {
		b := inWith(t, Announcing, Policy{Detect: DetectAnnounce, Defend: DefendNever})
		b.after(2*time.Second - pause)
		b.ifc.pacer.send(b.ifc.moment(b.now))
		b.kind(Tick).silent(t, Announcing) // it has a slot
		b.claim().want(t, Verified, "report:conflict")
		if sent := b.sent(Announce, time.Minute); len(sent) != 0 {
			t.Errorf("announced at %v", sent)
		}
	})
	t.Run("tolerated: nor is the first one", func(t *testing.T) {
		b := newBench(Policy{Detect: DetectAnnounce, Defend: DefendNever}).after(time.Hour)
		b.ifc.pacer.send(b.ifc.moment(b.now))
		b.kind(Assign).want(t, Announcing, "use")
		b.claim().want(t, Verified, "report:conflict")
		if sent := b.sent(Announce, time.Minute); len(sent) != 0 {
			t.Errorf("announced at %v", sent)
		}
	})
	t.Run("the state calms down", func(t *testing.T) {
		b := in(t, Defending)
		b.tick(30*time.Second-pause).silent(t, Defending)
		b.tick(1).silent(t, Verified)
	})
}

// TestReprobingConflict: a claim during the probes beside the use tears the
// address down, unless it is never given up; a probe does not.
func TestReprobingConflict(t *testing.T) {
	in(t, Reprobing).hear(claim).want(t, Duplicate, "report:conflict, withdraw, report:duplicate")
	in(t, Reprobing).hear(rival).silent(t, Reprobing)
	inWith(t, Reprobing, Policy{Defend: DefendAlways}).claim().want(t, Defending, "report:conflict, announce, report:defended")
	inWith(t, Reprobing, Policy{Proxied: true}).claim().want(t, Reprobing, "report:conflict")
}

// TestNoConflict: what is no conflict while an address is probed changes nothing.
func TestNoConflict(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Input
	}{
		{"reflection", Input{Packet: packet(arp.Request, ours, address, theirs, address)}},
		{"reflection of the probe", Input{Packet: packet(arp.Request, ours, nobody, theirs, address)}},
		{"another interface of this host", Input{Packet: packet(arp.Request, sibling, nobody, theirs, address)}},
		{"stale", Input{Packet: packet(arp.Reply, theirs, other, ours, address)}},
		{"question", Input{Packet: question}},
		{"elsewhere", Input{Packet: claim, Elsewhere: true}},
	} {
		for _, s := range []State{Probing, Recovering, Inquiring, Announcing, Verified, Defending, Reprobing} {
			t.Run(fmt.Sprintf("%s while %v", tt.name, s), func(t *testing.T) {
				b := in(t, s)
				tt.in.Kind = Hear
				b.give(tt.in).silent(t, s)
			})
		}
	}
}
