package takeover

import (
	"net/netip"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/internal/rtnl"
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
