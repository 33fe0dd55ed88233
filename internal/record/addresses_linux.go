//go:build linux

package record

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// Address is an own address that isat took down because somebody else has it, with
// all that is needed to put it back.
type Address struct {
	Index  int          `json:"index"` // of the interface
	Name   string       `json:"name"`  // of the interface, for people to read
	Local  netip.Addr   `json:"local"`
	Prefix netip.Prefix `json:"prefix"` // its network, or its peer's
	Peer   netip.Addr   `json:"peer,omitzero"`
	// Broadcast is the zero Addr if it has none.
	Broadcast netip.Addr `json:"broadcast,omitzero"`
	Label     string     `json:"label,omitzero"`
	Scope     uint8      `json:"scope,omitzero"`    // RT_SCOPE_*
	Flags     uint32     `json:"flags,omitzero"`    // IFA_F_*
	Protocol  uint8      `json:"protocol,omitzero"` // IFA_PROTO
	Metric    uint32     `json:"metric,omitzero"`   // of its route
	// Preferred is when it is no longer preferred; the zero Time is never. (An
	// address that ends some time is not put back, and not written down.)
	Preferred time.Time `json:"preferred,omitzero"`
	// Order has all addresses of the interface as they stood, itself included,
	// each with the length of its network.
	Order []netip.Prefix `json:"order"`
	// Routes are those that went with it, each as the kernel told of it
	// (RTM_NEWROUTE of rtnetlink(7)).
	Routes [][]byte    `json:"routes,omitzero"`
	Owner  lladdr.Addr `json:"owner,omitzero"` // who has it
	// Others are the interfaces that had it then, this one included, if it was not the
	// only one.
	Others []int `json:"others,omitzero"`
	// InterfaceDown says that its interface was set down instead, with the address
	// on it.
	InterfaceDown bool      `json:"interface_down,omitzero"`
	Time          time.Time `json:"time"` // when it was taken down
}

// Addresses keeps the addresses that were taken down, until they are put back, the
// boot ends, or the network namespace does. Safe for concurrent use.
type Addresses struct {
	file file[scopedAddress]
	here Scope
}

// scopedAddress is an address in the file. Its scope is not that of [Scope].
type scopedAddress struct {
	Where   Scope   `json:"where"`
	Address Address `json:"address"`
}

func (s scopedAddress) in() Scope { return s.Where }

// OpenAddresses returns the addresses in a directory, which is made if need be, for
// the scope that the calling thread is in (see [Here]).
func OpenAddresses(dir string, here Scope) (*Addresses, error) {
	f, err := open[scopedAddress](dir, "addresses.json")
	if err != nil {
		return nil, err
	}
	return &Addresses{f, here}, nil
}

// Load returns the addresses that were saved last in this boot and network
// namespace, in that order.
func (a *Addresses) Load() ([]Address, error) {
	list, err := loadHere(a.file, a.here)
	if err != nil {
		return nil, fmt.Errorf("reading the addresses that were taken down: %w", err)
	}
	var all []Address
	for _, s := range list {
		all = append(all, s.Address)
	}
	return all, nil
}

// Save replaces the addresses of this network namespace. When it returns, they are
// on the disk. Those of other namespaces stay; those of another boot are dropped.
func (a *Addresses) Save(all []Address) error {
	var list []scopedAddress
	for _, address := range all {
		list = append(list, scopedAddress{a.here, address})
	}
	if err := saveHere(a.file, a.here, list); err != nil {
		return fmt.Errorf("saving the addresses that are taken down: %w", err)
	}
	return nil
}
