package takeover

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/acd"
)

// Policy says how some of the own addresses are treated: a [[dad]] section of the
// configuration. Exactly one of Prefix, Label and IFAProto is not zero.
type Policy struct {
	Prefix   netip.Prefix // addresses in this network
	Label    string       // addresses with this label
	IFAProto uint8        // addresses that this program added (IFA_PROTO)
	// Default leaves it to the kind of the address whether it is probed, as without a
	// policy; Detect is not used then.
	Default bool
	Detect  acd.Detect
	Defend  acd.Defend
}

// Down says what goes down when an own address is somebody else's.
type Down uint8

// The values of down in the configuration.
const (
	DownAddress   Down = iota // the address is removed from its interface
	DownInterface             // the interface is set down
)

var downNames = []string{"address", "interface"}

// String returns the name of d in the configuration.
func (d Down) String() string {
	if int(d) < len(downNames) {
		return downNames[d]
	}
	return fmt.Sprintf("down %d", uint8(d))
}

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an error.
func (d *Down) UnmarshalText(text []byte) error {
	i := slices.Index(downNames, string(text))
	if i < 0 {
		return fmt.Errorf("down %q: want one of %q", text, downNames)
	}
	*d = Down(i)
	return nil
}
