package acd

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// The steps of facts/solaris-arp-ipmp.md 3.2.

const ms = time.Millisecond

func seconds(s ...float64) (times []time.Duration) {
	for _, v := range s {
		times = append(times, time.Duration(v*float64(time.Second)))
	}
	return times
}

// TestProbeTimes has the times of probes and of the end, with the least, middle
// and greatest that chance gives.
func TestProbeTimes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		set    func(*bench)
		chance constant
		kind   Kind
		fast   bool // of an inquiry
		probes []time.Duration
		end    time.Duration
	}{
		{"slow, least", nil, least, Assign, false, seconds(0.001, 1.201, 2.401), 3901 * ms},
		{"slow, greatest", nil, greatest, Assign, false, seconds(1, 2.8, 4.6), 6100 * ms},
		{"fast, least", reportsLink, least, Assign, false, seconds(0.001, 0.121, 0.241), 391 * ms},
		{"fast, greatest", reportsLink, greatest, Assign, false, seconds(0.1, 0.28, 0.46), 610 * ms},
		{"link-local is slow", func(b *bench) {
			reportsLink(b)
			b.Address = New(b.ifc, netip.MustParseAddr("169.254.7.9"), Policy{})
		}, greatest, Assign, false, seconds(1, 2.8, 4.6), 6100 * ms},
		{"delay 0 is at once", func(b *bench) { b.config.ProbeDelay = 0 }, middle, Assign, false, seconds(0, 1.5, 3), 4500 * ms},
		{"one probe", func(b *bench) { b.config.ProbeCount = 1 }, greatest, Assign, false, seconds(1), 2500 * ms},
		{"an inquiry has the times of RFC 5227, least", reportsLink, least, Inquire, false, seconds(0, 1, 2), 4 * time.Second},
		{"an inquiry, greatest", reportsLink, greatest, Inquire, false, seconds(1, 3, 5), 7 * time.Second},
		{"a fast inquiry", nil, greatest, Inquire, true, seconds(0.1, 0.28, 0.46), 610 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(Policy{})
			b.ifc.Rand = tt.chance
			if tt.set != nil {
				tt.set(b)
			}
			b.give(Input{Kind: tt.kind, Fast: tt.fast})
			var probes []time.Duration
			for b.State().asks() {
				if slices.Contains(b.actions(), "probe") {
					probes = append(probes, b.now.Sub(start))
				}
				b.until()
			}
			if !slices.Equal(probes, tt.probes) {
				t.Errorf("probes at %v, want %v", probes, tt.probes)
			}
			if end := b.now.Sub(start); end != tt.end {
				t.Errorf("success at %v, want %v", end, tt.end)
			}
		})
	}
}

func reportsLink(b *bench) { b.ifc.ReportsLink = true }

// TestProbeJitter has real chance: all times are in their bounds, and differ.
func TestProbeJitter(t *testing.T) {
	delays, gaps := make(map[time.Duration]bool), make(map[time.Duration]bool)
	b := newBench(Policy{})
	b.ifc.Rand = rand.NewPCG(1, 2)
	for range 500 {
		b.now = b.now.Add(time.Minute)
		began := b.now
		b.kind(Assign)
		var probes []time.Time
		for b.State() == Probing {
			b.until()
			if slices.Contains(b.actions(), "probe") {
				probes = append(probes, b.now)
			}
		}
		if d := probes[0].Sub(began); d < ms || d > time.Second {
			t.Fatalf("first probe after %v", d)
		} else {
			delays[d] = true
		}
		for i := range 2 {
			d := probes[i+1].Sub(probes[i])
			if d < 1200*ms || d > 1800*ms {
				t.Fatalf("%v between probes", d)
			}
			gaps[d] = true
		}
	}
	if len(delays) < 450 || len(gaps) < 900 {
		t.Errorf("%d different delays and %d different gaps of 500 and 1000", len(delays), len(gaps))
	}
}

func TestProbingSkipped(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy Policy
		set    func(*bench)
		state  State
		does   string
	}{
		{"the zero address", Policy{}, func(b *bench) { b.Address = New(b.ifc, nobody, Policy{}) }, Exempt, "use"},
		{"no ARP", Policy{}, func(b *bench) { b.ifc.NoARP = true }, Exempt, "use"},
		{"policy off", Policy{Detect: DetectOff}, nil, Exempt, "use"},
		{"policy announce", Policy{Detect: DetectAnnounce}, nil, Announcing, "use, announce"},
		{"probe_count 0", Policy{}, func(b *bench) { b.config.ProbeCount = 0 }, Announcing, "use, announce"},
		{"fastprobe_count 0, fast", Policy{}, func(b *bench) { reportsLink(b); b.config.FastProbeCount = 0 }, Announcing, "use, announce"},
		{"fastprobe_count 0, slow", Policy{}, func(b *bench) { b.config.FastProbeCount = 0 }, Probing, "suspend, report:probing"},
		{"no link", Policy{}, func(b *bench) { b.ifc.SetLink(false) }, Probing, "suspend, report:probing"},
		{"policy announce without link", Policy{Detect: DetectAnnounce}, func(b *bench) { b.ifc.SetLink(false) }, Announcing, "use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(tt.policy)
			if tt.set != nil {
				tt.set(b)
			}
			b.kind(Assign).want(t, tt.state, tt.does)
			if down := !b.ifc.Link(); down != b.Deadline().IsZero() && tt.state != Exempt {
				t.Errorf("link down is %v, deadline %v", down, b.Deadline())
			}
		})
	}
}

// TestNotUsedWhileProbing: neither answered for nor a sender until success.
func TestNotUsedWhileProbing(t *testing.T) {
	b := newBench(Policy{}).kind(Assign)
	for b.State() == Probing {
		if b.State().Usable() {
			t.Fatal("usable while probing")
		}
		if b.kind(Ask); b.State() == Probing {
			b.silent(t, Probing)
		}
		b.until()
	}
	if !b.State().Usable() {
		t.Errorf("%v is not usable", b.State())
	}
}

// TestLinkDropsWhileProbing: probing stops, and begins anew on link up.
func TestLinkDropsWhileProbing(t *testing.T) {
	b := newBench(Policy{}).kind(Assign).until() // one probe
	b.ifc.SetLink(false)
	b.tick(time.Hour).silent(t, Probing)
	if d := b.Deadline(); !d.IsZero() {
		t.Fatalf("deadline %v without link", d)
	}
	b.ifc.SetLink(true)
	b.kind(LinkUp).silent(t, Probing)
	if probes := b.sent(Probe, 10*time.Second); len(probes) != 3 {
		t.Errorf("probes at %v, want three", probes)
	}
	if b.State() != Announcing && b.State() != Verified {
		t.Errorf("it is %v", b.State())
	}
}

// TestLinkReturns has an address in use when the link comes back.
func TestLinkReturns(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  Policy
		reprobe Reprobe
		usable  bool // all the time
		probes  int
		first   Action // what is sent first
	}{
		{"announce", Policy{}, ReprobeAnnounce, true, 3, Announce},
		{"strict", Policy{}, ReprobeStrict, false, 3, Probe},
		{"policy announce", Policy{Detect: DetectAnnounce}, ReprobeStrict, true, 0, Announce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := inWith(t, Verified, tt.policy)
			b.ifc.Reprobe = tt.reprobe
			b.ifc.SetLink(false)
			b.tick(time.Minute).silent(t, Verified)
			b.ifc.SetLink(true)
			b.kind(LinkUp)
			usable := true
			var sent []Action
			for b.State() != Verified {
				usable = usable && b.State().Usable()
				for _, e := range b.effects {
					if e.Action == Probe || e.Action == Announce {
						sent = append(sent, e.Action)
					}
				}
				b.until()
			}
			announced := len(sent) - tt.probes + 1 // the last one made it Verified
			if probes := count(sent, Probe); probes != tt.probes || announced != 5 || sent[0] != tt.first {
				t.Errorf("it sent %v and one more", sent)
			}
			if usable != tt.usable {
				t.Errorf("usable all the time is %v, want %v", usable, tt.usable)
			}
		})
	}
}

func count(all []Action, a Action) (n int) {
	for _, b := range all {
		if a == b {
			n++
		}
	}
	return n
}

// TestAdopted: present at takeover counts as verified, is announced once and
// watched.
func TestAdopted(t *testing.T) {
	b := newBench(Policy{}).kind(Adopt)
	b.want(t, Verified, "use, announce")
	if more := b.sent(Announce, 4*time.Minute); len(more) != 1 { // that one
		t.Errorf("announced at %v", more)
	}
	b.claim().want(t, Defending, "report:conflict, announce, report:defended")
}

// TestAdoptedWithoutLink is announced when the link comes.
func TestAdoptedWithoutLink(t *testing.T) {
	b := newBench(Policy{})
	b.ifc.SetLink(false)
	b.kind(Adopt).want(t, Announcing, "use")
	b.ifc.SetLink(true)
	b.after(time.Second).kind(LinkUp).want(t, Reprobing, "report:probing, announce")
}

// TestResumed: what an earlier run has withdrawn is tried at once, or when the link
// comes, and restored.
func TestResumed(t *testing.T) {
	resumed := Input{Kind: Resume, Owner: theirs}
	b := newBench(Policy{}).give(resumed)
	b.want(t, Duplicate, "")
	if b.Owner() != theirs {
		t.Errorf("the owner is %v", b.Owner())
	}
	if all := b.kind(LinkUp).come(t, Announcing); !slices.Equal(all, []string{"probe", "probe", "probe", "restore", "use", "report:recovered", "announce"}) {
		t.Errorf("it does %q", all)
	}
	b = newBench(Policy{Temporary: true}).give(resumed) // DHCP's to try again
	if b.kind(LinkUp).want(t, Duplicate, ""); !b.Deadline().IsZero() {
		t.Errorf("deadline %v", b.Deadline())
	}
}

// TestInquiry is the one-shot use: is an address free?
func TestInquiry(t *testing.T) {
	b := newBench(Policy{}).kind(Inquire)
	if all := b.come(t, None); !slices.Equal(all, []string{"probe", "probe", "probe", "free"}) {
		t.Errorf("it does %q", all)
	}
	if d := b.Deadline(); !d.IsZero() {
		t.Errorf("deadline %v after it", d)
	}
	b.kind(Inquire).until() // the same machine again
	b.hear(rival).want(t, None, "taken")
	if b.effects[0].MAC != theirs {
		t.Errorf("taken by %v", b.effects[0].MAC)
	}
	b.ifc.SetLink(false)
	b.kind(Inquire).want(t, None, "abort")
}

// TestTunablesHoldAtOnce changes them while an address waits.
func TestTunablesHoldAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   State
		change func(*bench)
		want   time.Duration // until the deadline
	}{
		{"defend_interval shorter", Verified, func(b *bench) { b.config.DefendInterval = time.Minute }, time.Minute},
		{"defend_interval 0", Verified, func(b *bench) { b.config.DefendInterval = 0 }, 0},
		{"defend_rate 0", Verified, func(b *bench) { b.config.DefendRate = 0 }, 0},
		{"publish_interval", Announcing, func(b *bench) { b.config.PublishInterval = 20 * time.Second }, 20 * time.Second},
		{"conflict_window", Defending, func(b *bench) { b.config.ConflictWindow = time.Minute }, time.Minute + 1},
		{"dup_recovery", Duplicate, func(b *bench) { b.config.DupRecovery = time.Minute }, time.Minute},
		{"dup_recovery 0", Duplicate, func(b *bench) { b.config.DupRecovery = 0 }, 0},
		{"probe_count 0", Probing, func(b *bench) { b.config.ProbeCount = 0 }, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := in(t, tt.from)
			tt.change(b)
			got := b.Deadline()
			switch {
			case tt.want == 0:
				if !got.IsZero() {
					t.Errorf("deadline %v, want none", got)
				}
			case tt.want < 0:
				if got.After(b.now) {
					t.Errorf("deadline %v, want one that is over", got)
				}
			default:
				if d := got.Sub(b.now.Add(-pause)); d != tt.want {
					t.Errorf("deadline after %v, want %v", d, tt.want)
				}
			}
		})
	}
}
