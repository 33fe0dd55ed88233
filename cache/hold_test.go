package cache

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// packets are n packets numbered from 1.
func packets(from, to int) (all [][]byte) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Append(nil, i))
	}
	return all
}

// text is what packets an action has.
func (b *bench) text(a Action) string {
	for _, e := range b.effects {
		if e.Action == a {
			return string(bytes.Join(e.Packets, []byte(" ")))
		}
	}
	return "no " + a.String()
}

func TestHold(t *testing.T) {
	for _, tt := range []struct {
		maxHold, sent int
		released      string
		lastDropped   string
	}{
		{1, 1, "1", "no drop"},
		{1, 2, "2", "1"},
		{1, 10, "10", "9"},
		{3, 3, "1 2 3", "no drop"},
		{3, 5, "3 4 5", "2"},
		{0, 2, "", "2"},
	} {
		t.Run(fmt.Sprintf("maxhold %d, %d packets", tt.maxHold, tt.sent), func(t *testing.T) {
			b := newBench()
			b.limits.MaxHold = tt.maxHold
			for _, p := range packets(1, tt.sent) {
				b.give(Input{Kind: Demand, Packet: p})
			}
			if got := b.text(Drop); got != tt.lastDropped {
				t.Errorf("the last packet displaced %q, want %q", got, tt.lastDropped)
			}
			if b.Held() > tt.maxHold {
				t.Errorf("%d packets held", b.Held())
			}
			answer(addrA)(b)
			if got := b.text(Release); got != tt.released {
				t.Errorf("released %q, want %q", got, tt.released)
			}
			if b.Held() != 0 {
				t.Errorf("%d packets held after the release", b.Held())
			}
		})
	}
}

// TestHoldShrinks lowers maxhold under a full queue.
func TestHoldShrinks(t *testing.T) {
	b := newBench()
	b.limits.MaxHold = 4
	for _, p := range packets(1, 4) {
		b.give(Input{Kind: Demand, Packet: p})
	}
	b.limits.MaxHold = 2
	b.give(Input{Kind: Demand, Packet: []byte("5")})
	if got := b.text(Drop); got != "1 2 3" {
		t.Errorf("dropped %q, want the oldest three", got)
	}
}

// TestHoldAfterError: the packet is kept though the sender gets an error, and
// goes out when the answer comes late (facts/freebsd-arp.md 2.2).
func TestHoldAfterError(t *testing.T) {
	b := in(Down)
	b.give(Input{Kind: Demand, Packet: []byte("late")})
	answer(addrA)(b.after(3 * time.Second))
	if got := b.text(Release); got != "late" {
		t.Errorf("released %q", got)
	}
}

// TestHoldRemoved: what is held when the entry ends is handed back to be counted.
func TestHoldRemoved(t *testing.T) {
	b := in(Incomplete)
	b.tick(20 * time.Second)
	if got := b.text(Remove); got != "held" {
		t.Errorf("removed with %q", got)
	}
}

// TestUsableHoldsNothing: a packet for an entry that has an address is not held.
func TestUsableHoldsNothing(t *testing.T) {
	for _, s := range []State{Reachable, Verify, Permanent} {
		b := in(s)
		b.give(Input{Kind: Demand, Packet: []byte("x")})
		if b.Held() != 0 {
			t.Errorf("%v holds a packet", s)
		}
	}
}
