package daemon

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/takeover"
)

// Each word of the configuration becomes the value with that name.
func TestWordsOfDAD(t *testing.T) {
	type pair struct{ word, got string }
	var pairs []pair
	for _, w := range []config.Detect{config.DetectProbe, config.DetectAnnounce, config.DetectOff} {
		pairs = append(pairs, pair{string(w), detect(w).String()})
	}
	for _, w := range []config.Defend{config.DefendNever, config.DefendOnce, config.DefendAlways, config.DefendSolaris} {
		pairs = append(pairs, pair{string(w), defend(w).String()})
	}
	for _, w := range []config.Teardown{config.DownAddress, config.DownInterface} {
		pairs = append(pairs, pair{string(w), down(w).String()})
	}
	for _, w := range []config.Reprobe{config.ReprobeAnnounce, config.ReprobeStrict} {
		pairs = append(pairs, pair{string(w), reprobe(w).String()})
	}
	for _, p := range pairs {
		if p.got != p.word {
			t.Errorf("%q becomes %q", p.word, p.got)
		}
	}
}

func TestPolicies(t *testing.T) {
	c := parse(t, `
[[interface]]
name = "e0"
dad = true
down = "interface"
reprobe = "strict"
[[dad]]
label = "e0:vip"
defend = "never"
[[dad]]
prefix = "192.0.2.0/24"
policy = "announce"
[[dad]]
ifa-proto = 255
policy = "off"
`)
	want := []takeover.Policy{
		{Label: "e0:vip", Default: true, Defend: acd.DefendNever},
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Detect: acd.DetectAnnounce},
		{IFAProto: 255, Detect: acd.DetectOff},
	}
	if diff := cmp.Diff(want, policies(c), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	spec, ok := newDaemon().spec(c, "e0")
	if want := (takeover.Spec{Name: "e0", DAD: true, Down: takeover.DownInterface, Reprobe: acd.ReprobeStrict}); !ok || spec != want {
		t.Errorf("spec %+v, want %+v", spec, want)
	}
}
