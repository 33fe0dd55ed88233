package takeover

import (
	"net/netip"

	"github.com/isat-project/isat/host"
)

// ipKey names an address on an interface, by its index: an own one, in whichever
// networks, or that of a neighbour.
type ipKey struct {
	index int
	ip    netip.Addr
}

// keyOf returns the address that the host tells of.
func keyOf(u host.OwnAddress) ipKey { return ipKey{u.Interface, u.Address.Prefix.Addr()} }
