package acd

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
)

// latency of a wire, if a test does not want another.
const latency = 50 * time.Microsecond

// node is a host on the wire with one address.
type node struct {
	Address
	mac        lladdr.Addr
	recoveries int
}

// wire connects hosts that all have the same address. Every frame reaches all
// others after the latency.
type wire struct {
	t       testing.TB
	latency time.Duration
	now     time.Time
	nodes   []*node
	frames  []frame // under way, in the order of their arrival
}

type frame struct {
	at   time.Time
	from *node
	arp.Packet
}

func newWire(t testing.TB, seed uint64, nodes int, setup func(*Interface, *Address)) *wire {
	w := &wire{t: t, latency: latency, now: start}
	for i := range nodes {
		config := mib.New().Settings("").ACD
		n := &node{mac: lladdr.From6([6]byte{2, 0, 0, 0, 1, byte(i)})}
		ifc := NewInterface(start, &config, macs{n.mac}, rand.NewPCG(seed, uint64(i)))
		ifc.SetLink(true)
		n.Address = New(ifc, address, Policy{})
		setup(ifc, &n.Address)
		w.nodes = append(w.nodes, n)
	}
	return w
}

// give hands a node an input and carries its effects out.
func (w *wire) give(n *node, in Input) {
	before := n.State()
	effects := n.Handle(w.now, in, nil)
	if before == Duplicate && n.State() == Recovering {
		n.recoveries++
	}
	for _, e := range effects {
		switch e.Action {
		case Probe:
			w.send(n, packet(arp.Request, n.mac, nobody, lladdr.Addr{}, address))
		case Announce:
			w.send(n, packet(arp.Request, n.mac, address, lladdr.Addr{}, address))
		case Reply:
			w.send(n, packet(arp.Reply, n.mac, address, in.Packet.SenderHW, in.Packet.SenderIP))
		}
	}
	if users := w.users(); users > 1 {
		w.t.Fatalf("%v after the start %d hosts use the address", w.now.Sub(start), users)
	}
}

func (w *wire) send(n *node, p arp.Packet) {
	w.frames = append(w.frames, frame{w.now.Add(w.latency), n, p})
}

// hear is what a host does with a packet: it shows it to the machine, and if it
// is a request for the address, asks it for the reply.
func (w *wire) hear(n *node, p arp.Packet) {
	w.give(n, Input{Kind: Hear, Packet: p})
	if p.Operation == arp.Request && p.TargetIP == address && p.SenderIP != address {
		w.give(n, Input{Kind: Ask, Packet: p})
	}
}

func (w *wire) users() (n int) {
	for _, node := range w.nodes {
		if node.State().Usable() {
			n++
		}
	}
	return n
}

// run lets time pass up to a moment, or until done.
func (w *wire) run(end time.Time, done func() bool) {
	for !done() {
		next, who := end, (*node)(nil)
		for _, n := range w.nodes {
			if d := n.Deadline(); !d.IsZero() && d.Before(next) {
				next, who = d, n
			}
		}
		if len(w.frames) > 0 && !w.frames[0].at.After(next) {
			f := w.frames[0]
			w.frames, w.now = w.frames[1:], f.at
			for _, n := range w.nodes {
				if n != f.from {
					w.hear(n, f.Packet)
				}
			}
			continue
		}
		if w.now = next; who == nil {
			return
		}
		w.give(who, Input{Kind: Tick})
	}
}

// TestSameMoment: hosts that start with the same address at the same moment
// never both keep it, and within ten recoveries exactly one has it.
func TestSameMoment(t *testing.T) {
	for name, tt := range map[string]struct {
		nodes   int
		latency time.Duration
		setup   func(*Interface, *Address)
	}{
		"slow timing":     {2, latency, func(*Interface, *Address) {}},
		"fast timing":     {2, latency, func(ifc *Interface, _ *Address) { ifc.ReportsLink = true }},
		"no delay at all": {2, latency, func(ifc *Interface, _ *Address) { ifc.Config.ProbeDelay = 0 }},
		"probes cross":    {2, time.Second, func(*Interface, *Address) {}},
		"three hosts":     {3, 500 * time.Millisecond, func(*Interface, *Address) {}},
	} {
		t.Run(name, func(t *testing.T) {
			most := 0
			for seed := range uint64(200) {
				w := newWire(t, seed, tt.nodes, tt.setup)
				w.latency = tt.latency
				for _, n := range w.nodes {
					w.give(n, Input{Kind: Assign})
				}
				w.run(start.Add(2*time.Hour), func() bool { return w.users() == 1 })
				if w.users() != 1 {
					t.Fatalf("seed %d: %d hosts use the address", seed, w.users())
				}
				for _, n := range w.nodes {
					most = max(most, n.recoveries)
				}
				if most > 10 {
					t.Fatalf("seed %d: it took more than ten recoveries", seed)
				}
				// It stays with the one.
				w.run(w.now.Add(time.Hour), func() bool { return w.users() != 1 })
				if w.users() != 1 {
					t.Fatalf("seed %d: an hour later %d hosts use the address", seed, w.users())
				}
			}
			t.Logf("%d recoveries at most", most)
		})
	}
}

// TestLaterHost: one that comes later finds the address used, and gets it when
// the other is gone.
func TestLaterHost(t *testing.T) {
	for seed := range uint64(20) {
		w := newWire(t, seed, 2, func(*Interface, *Address) {})
		first, second := w.nodes[0], w.nodes[1]
		w.give(first, Input{Kind: Assign})
		w.run(start.Add(time.Minute), func() bool { return false })
		w.give(second, Input{Kind: Assign})
		w.run(start.Add(time.Hour), func() bool { return false })
		if first.State() != Verified || second.State() != Duplicate && second.State() != Recovering || second.Owner() != first.mac {
			t.Fatalf("seed %d: the first is %v, the second %v", seed, first.State(), second.State())
		}
		w.give(first, Input{Kind: Release})
		w.run(start.Add(2*time.Hour), func() bool { return false })
		if second.State() != Verified {
			t.Fatalf("seed %d: the other owner is gone, the second is %v", seed, second.State())
		}
	}
}

// TestJoinedNetworks: two networks in which the address was verified become one.
// Neither was wrong; the address ends up with one of them, because a claim while
// reprobing tears it down.
func TestJoinedNetworks(t *testing.T) {
	for seed := range uint64(50) {
		w := newWire(t, seed, 2, func(*Interface, *Address) {})
		users := 0
		for _, n := range w.nodes { // each alone
			n.Handle(start, Input{Kind: Adopt}, nil)
		}
		w.now = start.Add(time.Hour)
		for _, n := range w.nodes {
			n.Handle(w.now, Input{Kind: LinkUp}, nil) // both announce
		}
		for _, n := range w.nodes { // and hear each other
			n.Handle(w.now.Add(latency), Input{Kind: Hear, Packet: claimOf(w.nodes, n)}, nil)
			if n.State().Usable() {
				users++
			}
		}
		w.now = w.now.Add(latency)
		if users != 0 {
			t.Fatalf("seed %d: %d hosts keep it after the claims", seed, users)
		}
		w.run(w.now.Add(2*time.Hour), func() bool { return false })
		if w.users() != 1 {
			t.Fatalf("seed %d: %d hosts use the address two hours later", seed, w.users())
		}
	}
}

// claimOf is the announcement of the other of two nodes.
func claimOf(nodes []*node, n *node) arp.Packet {
	for _, other := range nodes {
		if other != n {
			return packet(arp.Request, other.mac, address, lladdr.Addr{}, address)
		}
	}
	panic("one node")
}
