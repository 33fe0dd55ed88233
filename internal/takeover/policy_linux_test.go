package takeover

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
)

// How an address is treated, by the policies and by what it is.
func TestPolicyOf(t *testing.T) {
	with := func(prefix string, change func(*rtnl.Addr)) rtnl.Addr {
		a := addrOf(7, prefix)
		a.Label = "e0"
		if change != nil {
			change(&a)
		}
		return a
	}
	network := with("192.0.2.1/24", nil)
	policies := []Policy{
		{Prefix: netip.MustParsePrefix("192.0.2.64/26"), Detect: acd.DetectOff},
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Default: true, Defend: acd.DefendOnce},
		{Label: "e0:vip", Detect: acd.DetectAnnounce, Defend: acd.DefendAlways},
		{IFAProto: 22, Detect: acd.DetectOff, Defend: acd.DefendNever},
	}
	label := func(a *rtnl.Addr) { a.Label = "e0:vip" }
	protocol := func(p uint8) func(*rtnl.Addr) { return func(a *rtnl.Addr) { a.Protocol = p } }
	tests := []struct {
		name     string
		addr     rtnl.Addr
		others   []rtnl.Addr
		policies []Policy
		want     acd.Policy
	}{
		{"no policy", network, nil, nil, acd.Policy{}},
		{"alone with 32 bits", with("192.0.2.9/32", nil), nil, nil, acd.Policy{}},
		{"32 bits inside a network", with("192.0.2.9/32", nil), []rtnl.Addr{network}, nil, acd.Policy{Detect: acd.DetectAnnounce}},
		{"32 bits outside", with("10.0.0.9/32", nil), []rtnl.Addr{network}, nil, acd.Policy{}},
		{"32 bits beside itself", with("192.0.2.1/32", nil), []rtnl.Addr{network}, nil, acd.Policy{}},
		{"of a peer", with("192.0.2.9/32", func(a *rtnl.Addr) { a.Peer = netip.MustParseAddr("192.0.2.8") }), []rtnl.Addr{network}, nil, acd.Policy{}},
		{"with a lifetime", with("192.0.2.1/24", func(a *rtnl.Addr) { a.Flags = 0 }), nil, nil, acd.Policy{Temporary: true}},
		{"another program's", with("192.0.2.1/24", protocol(99)), nil, nil, acd.Policy{Temporary: true}},
		{"the kernel's", with("192.0.2.1/24", protocol(ifaprotKernel)), nil, nil, acd.Policy{}},
		{"isat's own", with("192.0.2.1/24", protocol(rtnl.ProtocolISAT)), nil, nil, acd.Policy{}},
		{"the first prefix", with("192.0.2.65/24", label), nil, policies, acd.Policy{Detect: acd.DetectOff}},
		{"the second prefix", with("192.0.2.1/24", label), nil, policies, acd.Policy{Defend: acd.DefendOnce}},
		{"the second prefix, by its kind", with("192.0.2.9/32", nil), []rtnl.Addr{network}, policies, acd.Policy{Detect: acd.DetectAnnounce, Defend: acd.DefendOnce}},
		{"a label", with("10.0.0.9/8", label), nil, policies, acd.Policy{Detect: acd.DetectAnnounce, Defend: acd.DefendAlways}},
		{"a program", with("10.0.0.9/8", protocol(22)), nil, policies, acd.Policy{Detect: acd.DetectOff, Defend: acd.DefendNever, Temporary: true}},
		{"none of them", with("10.0.0.9/8", nil), nil, policies, acd.Policy{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policyOf(tt.policies, tt.addr, append(tt.others, tt.addr)); got != tt.want {
				t.Errorf("policy %+v, want %+v", got, tt.want)
			}
		})
	}
}

// policed is an interface of the host that notes the policies of its addresses.
type policed struct {
	ownAddresses
	policies map[netip.Addr]acd.Policy
}

func (p policed) SetAddresses(own []host.Address) error {
	for _, a := range own {
		p.policies[a.Prefix.Addr()] = a.Policy
	}
	return nil
}

func (p policed) SetPolicy(ip netip.Addr, policy acd.Policy) { p.policies[ip] = policy }

// Policies are followed later if the addresses cannot be read when they are set: those
// of what is there, and of what is taken down.
func TestPoliciesAreFollowedLater(t *testing.T) {
	testns.Enter(t)
	(&ownRig{rig: &rig{t: t}}).ip("address", "add", "192.0.2.1/24", "dev", "lo")
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	closed, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	const lo = 1 // in every namespace
	there, down := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("198.51.100.1/24")
	ifc := policed{policies: make(map[netip.Addr]acd.Policy)}
	var log lines
	m := &Manager{
		conn: closed, log: slog.New(slog.NewTextHandler(&log, nil)), unfollowed: make(map[int]string),
		addressed: map[int]*addressed{lo: {index: lo, ifc: ifc, device: &Device{Index: lo, Addresses: []netip.Prefix{there}, Follow: func([]netip.Prefix) {}}}},
		down:      []record.Address{{Index: lo, Local: down.Addr(), Prefix: down.Masked()}},
	}
	m.taken.Store(&map[int]*taken{})
	m.SetPolicies([]Policy{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Detect: acd.DetectOff}})
	m.tryAgain()
	if n := log.count("level=ERROR"); n != 1 || len(ifc.policies) > 0 {
		t.Errorf("while nothing can be read the policies are %v, and %d errors are logged, want 1:\n%s", ifc.policies, n, log.all.String())
	}
	m.conn = conn
	m.tryAgain()
	for _, p := range []netip.Prefix{there, down} {
		if got := ifc.policies[p.Addr()].Detect; got != acd.DetectOff {
			t.Errorf("%v has the policy %v, want off", p, got)
		}
	}
	if len(m.unfollowed) > 0 {
		t.Errorf("%v are still to follow", m.unfollowed)
	}
}
