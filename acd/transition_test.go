package acd

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/event"
)

// rows has every row of the machine once more, with a way to come there. It is
// written by hand from the sources that the machine names, so that a change of
// the machine has to be said twice. What follows at the same moment is in the
// actions too, and the state is the one after it.
var rows = []struct {
	from    State
	cause   Cause
	how     func(*bench)
	to      State
	actions string
}{
	{None, Assigned, assign, Probing, "suspend, report:probing"},
	{None, Trusted, trust, Announcing, "use, announce"},
	{None, Adopted, adopt, Verified, "use, announce"},
	{None, Exempted, exempt, Exempt, "use"},
	{None, Released, release, None, ""},
	{None, Resumed, resume, Duplicate, ""},
	{None, Inquired, inquire, Inquiring, ""},

	{Probing, Assigned, assign, Probing, "suspend, report:probing"},
	{Probing, Trusted, trust, Announcing, "use, announce"},
	{Probing, Adopted, adopt, Verified, "use, announce"},
	{Probing, Exempted, exempt, Exempt, "use"},
	{Probing, Released, release, None, ""},
	{Probing, ProbeDue, due, Probing, "probe"},
	{Probing, Cleared, probed, Announcing, "use, report:verified, announce"},
	{Probing, Conflicted, heard, Duplicate, "withdraw, report:duplicate"},
	{Probing, Relinked, linkUp, Probing, ""},

	{Announcing, Assigned, assign, Probing, "suspend, report:probing"},
	{Announcing, Trusted, trust, Announcing, "use, announce"},
	{Announcing, Adopted, adopt, Verified, "use, announce"},
	{Announcing, Exempted, exempt, Exempt, "use"},
	{Announcing, Released, release, None, ""},
	{Announcing, AnnounceDue, due, Announcing, "announce"},
	{Announcing, Published, func(b *bench) {
		b.tick(2 * time.Second).tick(2 * time.Second).tick(2 * time.Second).tick(2 * time.Second)
	}, Verified, "announce"},
	{Announcing, Contested, heard, Defending, "report:conflict, announce, report:defended"},
	{Announcing, Tolerated, tolerate, Verified, "report:conflict"},
	{Announcing, Lost, lose, Duplicate, "report:conflict, withdraw, report:duplicate"},
	{Announcing, Asked, ask, Announcing, "reply"},
	{Announcing, Relinked, relink, Announcing, "announce"},
	{Announcing, Reprobed, linkUp, Reprobing, "report:probing, announce"},
	{Announcing, Silenced, strict, Probing, "suspend, report:probing"},

	{Verified, Assigned, assign, Probing, "suspend, report:probing"},
	{Verified, Trusted, trust, Announcing, "use, announce"},
	{Verified, Adopted, adopt, Verified, "use, announce"},
	{Verified, Exempted, exempt, Exempt, "use"},
	{Verified, Released, release, None, ""},
	{Verified, PeriodicDue, due, Verified, "announce"},
	{Verified, Delayed, delay, Verified, ""},
	{Verified, Contested, heard, Defending, "report:conflict, announce, report:defended"},
	{Verified, Tolerated, tolerate, Verified, "report:conflict"},
	{Verified, Lost, lose, Duplicate, "report:conflict, withdraw, report:duplicate"},
	{Verified, Asked, ask, Verified, "reply"},
	{Verified, Relinked, relink, Announcing, "announce"},
	{Verified, Reprobed, linkUp, Reprobing, "report:probing, announce"},
	{Verified, Silenced, strict, Probing, "suspend, report:probing"},

	{Defending, Assigned, assign, Probing, "suspend, report:probing"},
	{Defending, Trusted, trust, Announcing, "use, announce"},
	{Defending, Adopted, adopt, Verified, "use, announce"},
	{Defending, Exempted, exempt, Exempt, "use"},
	{Defending, Released, release, None, ""},
	{Defending, PeriodicDue, func(b *bench) { b.config.DefendInterval = time.Second; due(b) }, Defending, "announce"},
	{Defending, Delayed, func(b *bench) { b.config.DefendInterval = time.Second; delay(b) }, Defending, ""},
	{Defending, DefenceDue, heard, Defending, "report:conflict, announce, report:defended"},
	{Defending, Calmed, due, Verified, ""},
	{Defending, Contested, heard, Defending, "report:conflict, announce, report:defended"},
	{Defending, Tolerated, tolerate, Defending, "report:conflict"},
	{Defending, Lost, lose, Duplicate, "report:conflict, withdraw, report:duplicate"},
	{Defending, Asked, ask, Defending, "reply"},
	{Defending, Relinked, relink, Announcing, "announce"},
	{Defending, Reprobed, linkUp, Reprobing, "report:probing, announce"},
	{Defending, Silenced, strict, Probing, "suspend, report:probing"},

	{Reprobing, Assigned, assign, Probing, "suspend, report:probing"},
	{Reprobing, Trusted, trust, Announcing, "use, announce"},
	{Reprobing, Adopted, adopt, Verified, "use, announce"},
	{Reprobing, Exempted, exempt, Exempt, "use"},
	{Reprobing, Released, release, None, ""},
	{Reprobing, ProbeDue, due, Reprobing, "probe"},
	{Reprobing, AnnounceDue, linkUp, Reprobing, "report:probing, announce"},
	{Reprobing, Cleared, probed, Announcing, "report:verified"},
	{Reprobing, Conflicted, heard, Duplicate, "report:conflict, withdraw, report:duplicate"},
	{Reprobing, Contested, func(b *bench) { b.Policy.Defend = DefendAlways; heard(b) }, Defending, "report:conflict, announce, report:defended"},
	{Reprobing, Tolerated, tolerate, Reprobing, "report:conflict"},
	{Reprobing, Asked, ask, Reprobing, "reply"},
	{Reprobing, Relinked, relink, Announcing, "announce"},
	{Reprobing, Reprobed, linkUp, Reprobing, "report:probing, announce"},
	{Reprobing, Silenced, strict, Probing, "suspend, report:probing"},

	{Duplicate, Assigned, assign, Probing, "suspend, report:probing"},
	{Duplicate, Trusted, trust, Announcing, "use, announce"},
	{Duplicate, Adopted, adopt, Verified, "use, announce"},
	{Duplicate, Exempted, exempt, Exempt, "use"},
	{Duplicate, Released, release, None, ""},
	{Duplicate, RecoveryDue, due, Recovering, ""},

	{Recovering, Assigned, assign, Probing, "suspend, report:probing"},
	{Recovering, Trusted, trust, Announcing, "use, announce"},
	{Recovering, Adopted, adopt, Verified, "use, announce"},
	{Recovering, Exempted, exempt, Exempt, "use"},
	{Recovering, Released, release, None, ""},
	{Recovering, ProbeDue, due, Recovering, "probe"},
	{Recovering, Cleared, probed, Announcing, "restore, use, report:recovered, announce"},
	{Recovering, Conflicted, heard, Duplicate, ""},
	{Recovering, Relinked, linkUp, Recovering, ""},

	{Inquiring, Assigned, assign, Probing, "suspend, report:probing"},
	{Inquiring, Trusted, trust, Announcing, "use, announce"},
	{Inquiring, Adopted, adopt, Verified, "use, announce"},
	{Inquiring, Exempted, exempt, Exempt, "use"},
	{Inquiring, Released, release, None, ""},
	{Inquiring, ProbeDue, due, Inquiring, "probe"},
	{Inquiring, Cleared, probed, None, "free"},
	{Inquiring, Conflicted, heard, None, "taken"},
	{Inquiring, Unlinked, func(b *bench) { b.ifc.SetLink(false); b.kind(Tick) }, None, "abort"},

	{Exempt, Assigned, func(b *bench) { b.Policy.Detect = DetectProbe; assign(b) }, Probing, "suspend, report:probing"},
	{Exempt, Trusted, trust, Announcing, "use, announce"},
	{Exempt, Adopted, func(b *bench) { b.Policy.Detect = DetectProbe; adopt(b) }, Verified, "use, announce"},
	{Exempt, Exempted, exempt, Exempt, "use"},
	{Exempt, Released, release, None, ""},
	{Exempt, Asked, ask, Exempt, "reply"},
}

func assign(b *bench)  { b.kind(Assign) }
func adopt(b *bench)   { b.kind(Adopt) }
func release(b *bench) { b.kind(Release) }
func inquire(b *bench) { b.kind(Inquire) }
func resume(b *bench)  { b.give(Input{Kind: Resume, Owner: theirs}) }
func linkUp(b *bench)  { b.kind(LinkUp) }
func ask(b *bench)     { b.kind(Ask) }
func heard(b *bench)   { b.claim() }
func due(b *bench)     { b.until() }
func trust(b *bench)   { b.Policy.Detect = DetectAnnounce; b.kind(Assign) }
func exempt(b *bench)  { b.Policy.Detect = DetectOff; b.kind(Assign) }
func strict(b *bench)  { b.ifc.Reprobe = ReprobeStrict; b.kind(LinkUp) }
func relink(b *bench)  { b.Policy.Detect = DetectAnnounce; b.kind(LinkUp) }
func lose(b *bench)    { b.Policy.Defend = DefendNever; b.claim() }
func tolerate(b *bench) {
	b.Policy = Policy{Detect: DetectAnnounce, Defend: DefendNever}
	b.claim()
}

// delay spends the budget of the interface; the next announcement is refused.
func delay(b *bench) { b.config.DefendRate = 1; b.ifc.budget = budget{start: 1, spent: 1}; b.until() }

// probed goes on until the last probe had no answer.
func probed(b *bench) {
	for range 4 {
		b.until()
	}
}

func TestRows(t *testing.T) {
	type pair struct {
		State
		Cause
	}
	tested := make(map[pair]bool)
	for _, row := range rows {
		t.Run(row.from.String()+" "+row.cause.String(), func(t *testing.T) {
			tested[pair{row.from, row.cause}] = true
			b := in(t, row.from)
			row.how(b)
			b.want(t, row.to, row.actions)
			// The cause is with the effects, if the row has any.
			i := slices.IndexFunc(b.effects, func(e Effect) bool { return e.Cause == row.cause })
			r, ok := lookup(row.from, row.cause)
			if ok && len(r.Actions) > 0 && i < 0 {
				t.Errorf("no effect of %v in %+v", row.cause, b.effects)
			}
		})
	}
	for _, row := range Transitions() {
		for _, from := range row.From {
			if !tested[pair{from, row.Cause}] {
				t.Errorf("no test of %v %v", from, row.Cause)
			}
			delete(tested, pair{from, row.Cause})
		}
		reports := 0
		for _, a := range row.Actions {
			if a == Report {
				reports++
			}
		}
		if reports != len(row.Reports) {
			t.Errorf("%v %v: events %v with actions %v", row.From, row.Cause, row.Reports, row.Actions)
		}
		if row.Source == "" {
			t.Errorf("%v %v has no source", row.From, row.Cause)
		}
	}
	for p := range tested {
		t.Errorf("%v %v is tested and not in the machine", p.State, p.Cause)
	}
}

// TestOneRow: no state has two rows for a cause.
func TestOneRow(t *testing.T) {
	seen := make(map[State]map[Cause]bool)
	for _, row := range Transitions() {
		for _, from := range row.From {
			if seen[from] == nil {
				seen[from] = make(map[Cause]bool)
			}
			if seen[from][row.Cause] {
				t.Errorf("%v %v has two rows", from, row.Cause)
			}
			seen[from][row.Cause] = true
		}
	}
}

// TestNoRow has what changes nothing.
func TestNoRow(t *testing.T) {
	for _, tt := range []struct {
		name string
		from State
		in   Input
	}{
		{"a claim to an address that is gone", None, Input{Kind: Hear, Packet: claim}},
		{"a claim to one that is not watched", Exempt, Input{Kind: Hear, Packet: claim}},
		{"a claim to a duplicate", Duplicate, Input{Kind: Hear, Packet: claim}},
		{"a request while probing", Probing, Input{Kind: Ask}},
		{"a request for a duplicate", Duplicate, Input{Kind: Ask}},
		{"a request while recovering", Recovering, Input{Kind: Ask}},
		{"a request while inquiring", Inquiring, Input{Kind: Ask}},
		{"a request for what is gone", None, Input{Kind: Ask}},
		{"a probe of an address in use", Verified, Input{Kind: Hear, Packet: rival}},
		{"an inquiry about an own address", Verified, Input{Kind: Inquire}},
		{"an inquiry about a candidate", Probing, Input{Kind: Inquire}},
		{"an earlier run's duplicate, of one inquired about", Inquiring, Input{Kind: Resume, Owner: theirs}},
		{"link up of one that is exempt", Exempt, Input{Kind: LinkUp}},
		{"link up of one that is gone", None, Input{Kind: LinkUp}},
		{"link up while inquiring", Inquiring, Input{Kind: LinkUp}},
		{"an early tick", Verified, Input{Kind: Tick}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := in(t, tt.from)
			deadline := b.Deadline()
			b.give(tt.in).silent(t, tt.from)
			if got := b.Deadline(); !got.Equal(deadline) {
				t.Errorf("the deadline went from %v to %v", deadline, got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		None.String(): "none", Exempt.String(): "exempt", Same.String(): "same", State(200).String(): "state 200",
		Assigned.String(): "assigned", Asked.String(): "asked", Cause(200).String(): "cause 200",
		Suspend.String(): "suspend", Report.String(): "report", Action(200).String(): "action 200",
		Slow.String(): "slow", RFC5227.String(): "RFC 5227", Timing(9).String(): "timing 9",
		Detect(9).String(): "policy 9", Defend(9).String(): "defence 9", Reprobe(9).String(): "reprobing 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for s := range numStates {
		if stateNames[s] == "" {
			t.Errorf("state %d has no name", s)
		}
	}
	for c := range numCauses {
		if causeNames[c] == "" {
			t.Errorf("cause %d has no name", c)
		}
	}
}

// TestPolicyText: the names are those of the configuration.
func TestPolicyText(t *testing.T) {
	var detect Detect
	for i, name := range []string{"probe", "announce", "off"} {
		if err := detect.UnmarshalText([]byte(name)); err != nil || detect != Detect(i) || detect.String() != name {
			t.Errorf("policy %q: %v, %v", name, detect, err)
		}
	}
	var defend Defend
	for i, name := range []string{"solaris", "never", "once", "always"} {
		if err := defend.UnmarshalText([]byte(name)); err != nil || defend != Defend(i) || defend.String() != name {
			t.Errorf("defend %q: %v, %v", name, defend, err)
		}
	}
	var reprobe Reprobe
	for i, name := range []string{"announce", "strict"} {
		if err := reprobe.UnmarshalText([]byte(name)); err != nil || reprobe != Reprobe(i) || reprobe.String() != name {
			t.Errorf("reprobe %q: %v, %v", name, reprobe, err)
		}
	}
	err := defend.UnmarshalText([]byte("maybe"))
	if err == nil || !strings.Contains(err.Error(), `"maybe"`) || defend != DefendAlways {
		t.Errorf("an unknown name: %v, %v", defend, err)
	}
}

// TestDiagnostics are the words to the letter.
func TestDiagnostics(t *testing.T) {
	const mac = "02:00:00:00:00:66"
	for _, tt := range []struct {
		name   string
		policy Policy
		from   State
		event  event.Type
		how    func(*bench)
		want   string
		level  event.Severity
	}{
		{"found while probing", Policy{}, Probing, event.Duplicate, heard, "eth0 has duplicate address 192.0.2.1 (in use by " + mac + "); disabled.", event.Warning},
		{"claimed", Policy{Defend: DefendNever}, Verified, event.Duplicate, heard, "eth0 has duplicate address 192.0.2.1 (claimed by " + mac + "); disabled.", event.Warning},
		{"defended", Policy{}, Verified, event.Defended, heard, "Node " + mac + " is using our IP address 192.0.2.1 on eth0.", event.Warning},
		{"conflict, in FreeBSD's words", Policy{}, Verified, event.Conflict, heard, "arp: " + mac + " is using my IP address 192.0.2.1 on eth0!", event.Error},
		{"proxied", Policy{Proxied: true}, Verified, event.Conflict, heard, "Proxy ARP problem?  Node '" + mac + "' is using 192.0.2.1 on eth0", event.Warning},
		{"recovered", Policy{}, Recovering, event.Recovered, probed, "Recovered address 192.0.2.1 on eth0.", event.Notice},
		{"no words", Policy{}, Probing, event.Verified, probed, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := inWith(t, tt.from, tt.policy)
			tt.how(b)
			for _, e := range b.effects {
				if e.Action == Report && e.Event == tt.event {
					if level, got := b.Diagnostic(e, "eth0"); got != tt.want || level != tt.level {
						t.Errorf("%v: %q\nwant %v: %q", level, got, tt.level, tt.want)
					}
					return
				}
			}
			t.Errorf("no report of %v in %q", tt.event, b.does())
		})
	}
}
