package acd

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
)

// TestLife plays random lives of an address and checks what has to hold in all of
// them.
func TestLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(drawPolicy(t))
		b.config = drawConfig(t)
		b.ifc.Rand = rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)
		b.ifc.ReportsLink = rapid.Bool().Draw(t, "reports link")
		b.ifc.NoARP = rapid.IntRange(0, 9).Draw(t, "no ARP") == 0
		if rapid.Bool().Draw(t, "strict") {
			b.ifc.Reprobe = ReprobeStrict
		}
		l := &life{t: t, bench: b, late: rapid.Bool().Draw(t, "late")}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			l.step()
		}
		l.kind(Release)
		if l.ifc.budget.waiting != 0 || l.ifc.pacer.waiting != 0 {
			t.Fatalf("%d places in the budget and %d trains are left", l.ifc.budget.waiting, l.ifc.pacer.waiting)
		}
	})
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{
		Detect:    Detect(rapid.IntRange(0, 2).Draw(t, "detect")),
		Defend:    Defend(rapid.IntRange(0, 3).Draw(t, "defend")),
		Temporary: rapid.Bool().Draw(t, "temporary"),
		Proxied:   rapid.IntRange(0, 4).Draw(t, "proxied") == 0,
	}
}

// drawConfig draws tunables in their ranges.
func drawConfig(t *rapid.T) mib.ACD {
	d := func(name string, least, greatest int, unit time.Duration) time.Duration {
		return time.Duration(rapid.IntRange(least, greatest).Draw(t, name)) * unit
	}
	n := func(name string, greatest int) int { return rapid.IntRange(0, greatest).Draw(t, name) }
	return mib.ACD{
		ProbeDelay: d("probe_delay", 0, 2000, ms), ProbeInterval: d("probe_interval", 10, 2000, ms), ProbeCount: n("probe_count", 4),
		FastProbeDelay: d("fastprobe_delay", 0, 2000, ms), FastProbeInterval: d("fastprobe_interval", 10, 2000, ms), FastProbeCount: n("fastprobe_count", 4),
		PublishInterval: d("publish_interval", 1000, 3000, ms), PublishCount: 1 + n("publish_count", 4),
		DefendInterval: d("defend_interval", 0, 30_000, ms), DefendRate: n("defend_rate", 3), DefendPeriod: d("defend_period", 5, 100, time.Second),
		BroadcastInterval: d("broadcast_interval", 0, 20_000, ms), DupRecovery: d("dup_recovery", 0, 60_000, ms),
		MaxDefend: n("max_defend", 4), MaxTempDefend: n("max_temp_defend", 2), ConflictWindow: d("conflict_window", 0, 60, time.Second),
	}
}

// life is an address and what is known of it from outside.
type life struct {
	t *rapid.T
	*bench
	late      bool      // the owner may tick after the deadline
	used      bool      // by the effects
	onLink    bool      // not withdrawn, by the effects
	probed    time.Time // the last probe of the train
	frame     time.Time // the last frame of its own accord
	broadcast time.Time // the last broadcast that tells of the address
}

func (l *life) step() {
	in := Input{Kind: Kind(rapid.IntRange(int(Tick), int(Ask)).Draw(l.t, "kind"))}
	before := l.State()
	switch in.Kind {
	case Tick:
		d := time.Duration(rapid.IntRange(0, 5000).Draw(l.t, "ms")) * ms
		if deadline := l.Deadline(); !deadline.IsZero() && (rapid.Bool().Draw(l.t, "to the deadline") || !l.late) {
			d = min(d, deadline.Sub(l.now))
		}
		l.after(max(d, 0))
		if rapid.IntRange(0, 30).Draw(l.t, "change") == 0 {
			l.config = drawConfig(l.t)
			l.late = true // by the new values something may have been due before
		}
		if rapid.IntRange(0, 30).Draw(l.t, "link goes") == 0 {
			l.ifc.SetLink(false)
		}
	case LinkUp:
		l.ifc.SetLink(true)
	case Hear:
		in.Packet = rapid.SampledFrom(packets).Draw(l.t, "packet")
		in.Elsewhere = rapid.IntRange(0, 9).Draw(l.t, "elsewhere") == 0
	case Inquire:
		in.Fast = rapid.Bool().Draw(l.t, "fast")
	case Resume:
		if l.Policy.keeps() {
			return // it is never withdrawn
		}
		in.Owner = theirs
		l.onLink = l.onLink && before != None
	}
	l.give(in)
	l.carryOut(in, before)
	l.check()
}

// packets are some of each kind.
var packets = []arp.Packet{
	claim, rival, question,
	packet(arp.Reply, theirs, address, ours, nobody),
	packet(arp.Reply, theirs, other, third, address),
	packet(arp.Reply, theirs, other, ours, address),
	packet(arp.Request, ours, nobody, lladdr.Addr{}, address),
	packet(arp.Request, sibling, address, lladdr.Addr{}, address),
}

// carryOut does what the effects say and checks them.
func (l *life) carryOut(in Input, before State) {
	switch in.Kind {
	case Assign, Adopt, Inquire, Release, LinkUp:
		l.probed = time.Time{}
	}
	if before == Duplicate {
		l.probed = time.Time{} // another train
	}
	if in.Kind == Release {
		l.used = false
	}
	if in.Kind == Assign || in.Kind == Adopt {
		l.onLink = true
	}
	for _, e := range l.effects {
		switch e.Action {
		case Suspend:
			l.used = false
		case Withdraw:
			l.used, l.onLink = false, false
		case Restore:
			if l.onLink {
				l.t.Fatal("restored without having been withdrawn")
			}
			l.onLink = true
		case Use:
			l.used = true
		case Probe:
			l.sent()
			if !before.asks() && before != Reprobing && !l.State().asks() && l.State() != Reprobing {
				l.t.Fatalf("a probe between %v and %v", before, l.State())
			}
			if gap := l.now.Sub(l.probed); !l.probed.IsZero() && gap < l.leastGap() {
				l.t.Fatalf("%v between two probes, at least %v", gap, l.leastGap())
			}
			l.probed = l.now
		case Announce:
			l.sent()
			l.tell()
			if !l.used {
				l.t.Fatal("an announcement of an address that is not used")
			}
		case Reply:
			if in.Kind != Ask || !before.Usable() {
				l.t.Fatalf("a reply in state %v to an input %d", before, in.Kind)
			}
			if e.Broadcast {
				if gap := l.now.Sub(l.broadcast); !l.broadcast.IsZero() && gap <= l.config.BroadcastInterval {
					l.t.Fatalf("a reply to all %v after a broadcast, broadcast_interval is %v", gap, l.config.BroadcastInterval)
				}
				l.tell()
			}
		case Report:
			if e.Event == event.Conflict && (e.MAC == ours || e.MAC == sibling) {
				l.t.Fatal("a conflict with ourselves")
			}
		}
	}
}

// sent checks the pace of the interface. An owner that is late sends together what
// had its slots meanwhile.
func (l *life) sent() {
	if !l.ifc.Link() {
		l.t.Fatal("a frame without link")
	}
	if !l.frame.IsZero() && l.now.Sub(l.frame) < slotLength && !l.late {
		l.t.Fatalf("%v between two frames", l.now.Sub(l.frame))
	}
	l.frame = l.now
}

func (l *life) tell() { l.broadcast = l.now }

// leastGap is the least time between two probes. The tunables may change on the
// way, so it is that of now.
func (l *life) leastGap() time.Duration {
	return l.timing.schedule(&l.config).least
}

// check has the properties.
func (l *life) check() {
	t := l.t
	if l.used != l.State().Usable() {
		t.Fatalf("in state %v the address is used: %v", l.State(), l.used)
	}
	if l.State() == Duplicate && (l.onLink || !l.Owner().IsValid()) {
		t.Fatalf("a duplicate on the interface, owned by %v", l.Owner())
	}
	if p := l.Policy; p.keeps() && l.State() == Duplicate && !p.Proxied {
		t.Fatal("an address that is never removed is a duplicate")
	}
	if want := 0; l.ifc.budget.waiting != want && !(l.Delayed() && l.ifc.budget.waiting == 1) {
		t.Fatalf("%d wait for the budget, delayed is %v", l.ifc.budget.waiting, l.Delayed())
	}
	if d := l.Deadline(); !d.IsZero() && !d.After(l.now) {
		t.Fatalf("the deadline was %v ago in state %v: the owner would spin", l.now.Sub(d), l.State())
	}
}
