package httpapi

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/api"
)

// TestProxyClient has rules and a request explained go there and back by the
// client.
func TestProxyClient(t *testing.T) {
	r := start(t, root)
	prefix := netip.MustParsePrefix("198.51.100.0/24")
	rule := api.ProxyRule{Prefix: prefix, Interface: "eth0", Ether: "02:00:00:00:00:0a", DenyFrom: []netip.Prefix{netip.MustParsePrefix("192.0.2.66/32")}}
	compare := cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})
	got, created, err := r.client.SetProxyRule(t.Context(), rule)
	if diff := cmp.Diff(rule, got, compare); err != nil || !created || diff != "" {
		t.Errorf("setting: %v, new %v (-want +got):\n%s", err, created, diff)
	}
	rules, err := r.client.ProxyRules(t.Context())
	if diff := cmp.Diff([]api.ProxyRule{rule}, rules, compare); err != nil || diff != "" {
		t.Errorf("listing: %v (-want +got):\n%s", err, diff)
	}
	// What may be left away is.
	plain := api.ProxyRule{Prefix: prefix, Interface: "eth0"}
	if got, created, err := r.client.SetProxyRule(t.Context(), plain); err != nil || created || got.Ether != api.EtherAuto || len(got.DenyFrom) != 0 {
		t.Errorf("changing: %+v, new %v, %v", got, created, err)
	}
	if gone, err := r.client.DeleteProxyRule(t.Context(), prefix, "eth0"); err != nil || len(gone) != 1 || gone[0].Prefix != prefix {
		t.Errorf("deleting: %+v, %v", gone, err)
	}
	q := api.ExplainQuery{Interface: "eth0", Target: ip4(9), Sender: netip.IPv4Unspecified(), MAC: "02:00:00:00:00:0a"}
	e, err := r.client.Explain(t.Context(), q)
	if back := (api.ExplainQuery{Interface: e.Interface, Target: e.Target, Sender: e.Sender, MAC: e.SenderMAC}); err != nil || back != q {
		t.Errorf("explaining: %+v, %v, want %+v", back, err, q)
	}
	r.fail(syscall.ENXIO)
	if _, err := r.client.DeleteProxyRule(t.Context(), prefix, "eth0"); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("deleting what is not there: %v", err)
	}
}
