package acd

import "fmt"

// Policy is how an address is treated: the [[dad]] sections of the configuration
// and what is known of the address. The zero Policy is Solaris'.
type Policy struct {
	Detect Detect
	Defend Defend
	// Temporary is an address that somebody else looks after, DHCP or the kernel:
	// max_temp_defend holds, and a duplicate is left to them (facts 3.4 step 3,
	// 3.6 step 3).
	Temporary bool
	// Proxied is an address of another host that is published here: a claim is
	// reported, and neither defended against nor given in to (facts 3.6).
	Proxied bool
}

// keeps reports whether the address stays in use whatever is claimed: "never
// removed" (INTERFACES section 2, policy announce).
func (p Policy) keeps() bool { return p.Proxied || p.Detect == DetectAnnounce }

// Detect is whether an address that appears is probed: policy in [[dad]].
type Detect uint8

// The kinds of detection.
const (
	DetectProbe    Detect = iota // probed before it is used
	DetectAnnounce               // used and announced at once, watched, never removed
	DetectOff                    // used at once, neither announced nor watched
)

// Defend is what is done about a claim to an address in use: defend in [[dad]].
type Defend uint8

// The kinds of defence.
const (
	// DefendSolaris defends max_defend times, counting claims that follow each
	// other within conflict_window (facts 3.6).
	DefendSolaris Defend = iota
	// DefendNever gives in to the first claim: RFC 5227 section 2.4 (a).
	DefendNever
	// DefendOnce gives in to a second claim within DEFEND_INTERVAL: (b) there.
	DefendOnce
	// DefendAlways keeps the address, and defends it once in DEFEND_INTERVAL at
	// the most: (c) there.
	DefendAlways
)

// Reprobe is what is done with the addresses in use when the link comes back.
type Reprobe uint8

// The kinds of reprobing.
const (
	ReprobeAnnounce Reprobe = iota // announced at once, and probed beside their use
	ReprobeStrict                  // not used until they are probed, as in Solaris
)

// The names in the configuration.
var (
	detectNames  = []string{"probe", "announce", "off"}
	defendNames  = []string{"solaris", "never", "once", "always"}
	reprobeNames = []string{"announce", "strict"}
)

// String returns the name of d in the configuration.
func (d Detect) String() string { return nameOf("policy", detectNames, uint8(d)) }

// String returns the name of d in the configuration.
func (d Defend) String() string { return nameOf("defence", defendNames, uint8(d)) }

// String returns the name of r in the configuration.
func (r Reprobe) String() string { return nameOf("reprobing", reprobeNames, uint8(r)) }

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an error.
func (d *Detect) UnmarshalText(text []byte) error {
	return byName("policy", detectNames, text, (*uint8)(d))
}

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an error.
func (d *Defend) UnmarshalText(text []byte) error {
	return byName("defence", defendNames, text, (*uint8)(d))
}

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an error.
func (r *Reprobe) UnmarshalText(text []byte) error {
	return byName("reprobing", reprobeNames, text, (*uint8)(r))
}

func nameOf(what string, names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s %d", what, v)
}

func byName(what string, names []string, text []byte, v *uint8) error {
	for i, name := range names {
		if name == string(text) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q: want one of %q", what, text, names)
}
