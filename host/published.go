package host

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// Publish says whether requests for the address of an entry are answered: pub
// and "pub only" of arp(8).
type Publish uint8

// The kinds of publication.
const (
	// Unpublished entries are for the host's own traffic.
	Unpublished Publish = iota
	// Published entries are that too, and requests for the address are answered.
	Published
	// PublishedOnly entries answer and carry no traffic. FreeBSD has a routing key
	// of their own for them (SIN_PROXY): an address may have one beside its
	// ordinary entry.
	PublishedOnly
)

// String returns the word of the configuration: "false", "true" or "only".
func (p Publish) String() string {
	names := [...]string{"false", "true", "only"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("publish %d", uint8(p))
}

// Action is what becomes of packets to the address of an entry: reject and
// blackhole of arp(8).
type Action uint8

// The actions.
const (
	Forward   Action = iota // they are sent to the link-layer address
	Reject                  // whoever sends them gets an error
	Blackhole               // they vanish
)

// String returns the word of the API, "" for Forward.
func (a Action) String() string {
	names := [...]string{"", "reject", "blackhole"}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// published tells whether an address has a published entry and, if it is on ifc,
// the link-layer address to answer with; the zero Addr is the interface's own.
func (h *Host) published(ifc *Interface, ip netip.Addr) (proxy.Publication, lladdr.Addr) {
	return proxy.Unpublished, lladdr.Addr{}
}

// DeletePublished removes the published-only entry of an address on an interface,
// or, if its name is empty, on every interface that has one. The error wraps ENXIO
// if there is none.
func (h *Host) DeletePublished(ifname string, ip netip.Addr) error {
	return fmt.Errorf("deleting the published entry of %v: no entry: %w", ip, syscall.ENXIO)
}
