package daemon

import (
	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/takeover"
)

// policies returns how a configuration wants own addresses treated.
func policies(c config.Config) []takeover.Policy {
	var all []takeover.Policy
	for _, p := range c.Policies {
		all = append(all, takeover.Policy{
			Prefix: p.Prefix, Label: p.Label, IFAProto: uint8(p.IFAProto),
			Default: p.Detect == config.DetectDefault, Detect: detect(p.Detect), Defend: defend(p.Defend),
		})
	}
	return all
}

// detect returns whether an address is probed.
func detect(d config.Detect) acd.Detect {
	switch d {
	case config.DetectAnnounce:
		return acd.DetectAnnounce
	case config.DetectOff:
		return acd.DetectOff
	}
	return acd.DetectProbe
}

// defend returns what is done about a claim.
func defend(d config.Defend) acd.Defend {
	switch d {
	case config.DefendNever:
		return acd.DefendNever
	case config.DefendOnce:
		return acd.DefendOnce
	case config.DefendAlways:
		return acd.DefendAlways
	}
	return acd.DefendSolaris
}

// down returns what goes down.
func down(t config.Teardown) takeover.Down {
	if t == config.DownInterface {
		return takeover.DownInterface
	}
	return takeover.DownAddress
}

// reprobe returns what the link's coming back means.
func reprobe(r config.Reprobe) acd.Reprobe {
	if r == config.ReprobeStrict {
		return acd.ReprobeStrict
	}
	return acd.ReprobeAnnounce
}
