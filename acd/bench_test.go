package acd

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
)

var (
	ours    = lladdr.MustParse("02:00:00:00:00:01")
	sibling = lladdr.MustParse("02:00:00:00:00:02") // another interface of this host
	theirs  = lladdr.MustParse("02:00:00:00:00:66")
	third   = lladdr.MustParse("02:00:00:00:00:77")

	address = netip.MustParseAddr("192.0.2.1")
	other   = netip.MustParseAddr("192.0.2.9")
	nobody  = netip.IPv4Unspecified()

	// start is when tests begin. It is not the zero time, which means never.
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// macs is a Self: the link-layer addresses of a host.
type macs []lladdr.Addr

func (m macs) IsSelf(mac lladdr.Addr) bool { return slices.Contains(m, mac) }

// constant is a Rand that always gives the same.
type constant uint64

func (c constant) Uint64() uint64 { return uint64(c) }

// The least and greatest of what chance gives, and the middle.
const (
	least    constant = 0
	middle   constant = 1 << 31 // an address takes 32 bits
	greatest constant = 1<<32 - 1
)

// bench is an address with the clock that drives it.
type bench struct {
	Address
	ifc     *Interface
	config  mib.ACD
	now     time.Time
	effects []Effect // of the last input
}

// newBench returns an address on an interface with a link and slow timing.
func newBench(policy Policy) *bench {
	b := &bench{config: mib.New().Settings("").ACD, now: start}
	b.ifc = NewInterface(start, &b.config, macs{ours, sibling}, middle)
	b.ifc.SetLink(true)
	b.Address = New(b.ifc, address, policy)
	return b
}

func (b *bench) give(in Input) *bench {
	b.effects = b.Handle(b.now, in, nil)
	return b
}

func (b *bench) kind(k Kind) *bench { return b.give(Input{Kind: k}) }

// after lets time pass, tick is a Tick after it.
func (b *bench) after(d time.Duration) *bench { b.now = b.now.Add(d); return b }
func (b *bench) tick(d time.Duration) *bench  { return b.after(d).kind(Tick) }

// until goes to the deadline and ticks.
func (b *bench) until() *bench { return b.tick(b.Deadline().Sub(b.now)) }

// hear lets a packet be heard.
func (b *bench) hear(p arp.Packet) *bench { return b.give(Input{Kind: Hear, Packet: p}) }

// claim is a foreign announcement of the address.
func (b *bench) claim() *bench { return b.hear(claim) }

// come goes from deadline to deadline until the address is in a state, and
// returns the actions on the way.
func (b *bench) come(t testing.TB, s State) (all []string) {
	t.Helper()
	for range 1000 {
		if b.State() == s {
			return all
		}
		if b.Deadline().IsZero() {
			break
		}
		b.until()
		all = append(all, b.actions()...)
	}
	t.Fatalf("the address is %v and does not become %v", b.State(), s)
	return nil
}

// actions are the effects by name; the event stands behind a report.
func (b *bench) actions() (names []string) {
	for _, e := range b.effects {
		name := e.Action.String()
		switch {
		case e.Action == Report:
			name += ":" + e.Event.String()
		case e.Broadcast:
			name += " to all"
		}
		names = append(names, name)
	}
	return names
}

func (b *bench) does() string { return strings.Join(b.actions(), ", ") }

// want checks state and actions after the last input.
func (b *bench) want(t testing.TB, s State, actions string) {
	t.Helper()
	if b.State() != s || b.does() != actions {
		t.Errorf("%v after the start it is %v and does %q, want %v and %q", b.now.Sub(start), b.State(), b.does(), s, actions)
	}
}

// silent checks that nothing happened.
func (b *bench) silent(t testing.TB, s State) { t.Helper(); b.want(t, s, "") }

// sent goes on by deadlines for a time and returns when an action was to be done.
func (b *bench) sent(action Action, d time.Duration) (times []time.Duration) {
	end := b.now.Add(d)
	for {
		for _, e := range b.effects {
			if e.Action == action {
				times = append(times, b.now.Sub(start))
			}
		}
		next := b.Deadline()
		if next.IsZero() || next.After(end) {
			b.now, b.effects = end, nil
			return times
		}
		b.until()
	}
}

// pause is longer than the pacer of the interface needs after a train.
const pause = 20 * slotLength

// Packets about the address.
var (
	claim    = packet(arp.Request, theirs, address, lladdr.Addr{}, address)
	rival    = packet(arp.Request, theirs, nobody, lladdr.Addr{}, address)
	question = packet(arp.Request, theirs, other, lladdr.Addr{}, address)
)

func packet(op arp.Operation, sha lladdr.Addr, spa netip.Addr, tha lladdr.Addr, tpa netip.Addr) arp.Packet {
	return arp.Packet{HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: op, SenderHW: sha, SenderIP: spa, TargetHW: tha, TargetIP: tpa}
}

// in returns an address in a state, on an interface with a link that may send at
// once.
func in(t testing.TB, s State) *bench { return inWith(t, s, Policy{}) }

func inWith(t testing.TB, s State, policy Policy) *bench {
	t.Helper()
	b := newBench(policy)
	switch s {
	case None:
	case Probing:
		b.kind(Assign)
	case Announcing, Verified:
		b.kind(Assign).come(t, s)
	case Defending:
		b.kind(Assign).come(t, Verified)
		b.after(pause).claim()
	case Reprobing:
		b.kind(Assign).come(t, Verified)
		b.after(pause).kind(LinkUp)
	case Duplicate:
		b.kind(Assign).claim()
	case Recovering:
		b.kind(Assign).claim()
		b.come(t, Recovering)
	case Inquiring:
		b.kind(Inquire)
	case Exempt:
		b.Policy.Detect = DetectOff
		b.kind(Assign)
	}
	if b.State() != s {
		t.Fatalf("the address is %v, want %v", b.State(), s)
	}
	return b.after(pause)
}
