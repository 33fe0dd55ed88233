package takeover

import (
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

// The rule is for what must not be used on any interface and is in use on none; the
// table is there only while there is something in it.
func TestUnverified(t *testing.T) {
	testns.Enter(t)
	u := newUnverified(newSilence(slog.New(slog.DiscardHandler), guard.OpenSenders))
	t.Cleanup(func() { u.silence.close() })
	told := func(index int, ip string, usage host.Usage) func() error {
		return func() error {
			return u.update([]host.OwnAddress{{Interface: index, Address: host.Address{Prefix: netip.MustParsePrefix(ip)}, Usage: usage}})
		}
	}
	const a, b = "192.0.2.1/24", "192.0.2.2/24"
	for _, step := range []struct {
		name string
		do   func() error
		want string // "none": there is no table
	}{
		{"one is probed", told(7, a, host.Suspended), "192.0.2.1"},
		{"another is in use", told(7, b, host.Usable), "192.0.2.1"},
		{"another is taken down", told(7, b, host.Withdrawn), "192.0.2.1 192.0.2.2"},
		{"and gone", func() error { return u.gone(7, netip.MustParseAddr("192.0.2.2")) }, "192.0.2.1"},
		{"it is in use elsewhere", told(8, a, host.Usable), "none"},
		{"and there no more", told(8, a, host.Released), "192.0.2.1"},
		{"it is probed elsewhere", told(8, a, host.Suspended), "192.0.2.1"},
		{"the first interface is left", func() error { return u.left(7) }, "192.0.2.1"},
		{"it is verified", told(8, a, host.Usable), "none"},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := unverifiedSet(t); got != step.want {
			t.Errorf("%s: the rule is for %s, want %s", step.name, got, step.want)
		}
	}
}

// unverifiedSet returns the elements of the set, "none" without a table.
func unverifiedSet(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "set", "ip", "isat_dad", "unverified").CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "No such file") {
			return "none"
		}
		t.Fatalf("nft list set: %v\n%s", err, out)
	}
	var all []string
	for _, ip := range []string{"192.0.2.1", "192.0.2.2"} {
		if strings.Contains(string(out), ip+" ") {
			all = append(all, ip)
		}
	}
	return strings.Join(all, " ")
}

// Many are told of at once, and one after the other.
func TestManyUnverified(t *testing.T) {
	testns.Enter(t)
	u := newUnverified(newSilence(slog.New(slog.DiscardHandler), guard.OpenSenders))
	t.Cleanup(func() { u.silence.close() })
	updates := make([]host.OwnAddress, 10_000)
	for i := range updates {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		updates[i] = host.OwnAddress{Interface: 7, Address: host.Address{Prefix: netip.PrefixFrom(ip, 8)}, Usage: host.Suspended}
	}
	if err := u.update(updates); err != nil {
		t.Fatal(err)
	}
	for i := range updates {
		updates[i].Usage = host.Usable
	}
	for i := range 100 {
		if err := u.update(updates[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("nft", "list", "set", "ip", "isat_dad", "unverified").CombinedOutput()
	if n := strings.Count(string(out), "expires"); err != nil || n != len(updates)-100 {
		t.Errorf("the rule is for %d addresses, want %d: %v", n, len(updates)-100, err)
	}
	if err := u.update(updates); err != nil {
		t.Fatal(err)
	}
	if got := unverifiedSet(t); got != "none" {
		t.Errorf("there is still a table: %s", got)
	}
}

// The queue has of each address what the host told last.
func TestUsageQueue(t *testing.T) {
	q := newUsageQueue()
	of := func(ip string, usage host.Usage) []host.OwnAddress {
		return []host.OwnAddress{{Interface: 7, Address: host.Address{Prefix: netip.MustParsePrefix(ip)}, Usage: usage}}
	}
	const a, b = "192.0.2.1/24", "192.0.2.2/24"
	q.put(of(a, host.Withdrawn))
	q.put(of(b, host.Suspended))
	q.put(of(a, host.Usable))
	q.again(of(a, host.Withdrawn)) // there is something newer
	q.again(nil)
	<-q.wake
	got := q.take()
	if len(got) != 2 || got[0].Usage != host.Usable || got[1].Usage != host.Suspended {
		t.Errorf("the queue has %v", got)
	}
	q.again(of(b, host.Withdrawn))
	<-q.wake
	if got := q.take(); len(got) != 1 || got[0].Usage != host.Withdrawn {
		t.Errorf("the queue has %v", got)
	}
}
