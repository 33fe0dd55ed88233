package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// check notes what contradicts itself across the sections of c.
func (r *reader) check(c Config) {
	r.checkEntries(c)
	r.checkProxies(c)
	r.checkDatapaths(c)
}

// checkEntries looks for entries of own addresses, for pairs of entries that may
// be about the same interface, and for link-layer addresses that the medium does not
// have.
func (r *reader) checkEntries(c Config) {
	type key struct {
		host netip.Addr
		only bool // published only: such an entry may be beside an ordinary one
	}
	anywhere := make(map[key]int) // line of the entry by route
	for _, e := range c.Entries {
		if e.Interface == "" {
			anywhere[key{e.Host, e.Pub == PubOnly}] = e.Line
		}
	}
	for _, e := range c.Entries {
		at := &place{line: e.Line, column: 1}
		host := e.Host.String()
		if own := r.claims[claim{"address", host}]; own != nil && e.Host.IsValid() {
			r.problem(at, fmt.Sprintf("arp.host: %s is an own address, see line %d", host, own.line))
		}
		if line, ok := anywhere[key{e.Host, e.Pub == PubOnly}]; ok && e.Interface != "" && e.Host.IsValid() {
			r.problem(at, fmt.Sprintf("arp.host: %s is in line %d without an interface: name it in both", host, line))
		}
		r.checkEther(at, "arp.ether", c.framing(e.Interface), e.Ether)
	}
}

// checkProxies looks for link-layer addresses that the medium does not have.
func (r *reader) checkProxies(c Config) {
	for _, p := range c.Proxies {
		r.checkEther(&place{line: p.Line, column: 1}, "proxy.ether", c.framing(p.Interface), p.Ether)
	}
}

// checkEther notes a link-layer address that is not one station's on the medium. The
// zero Addr is the interface's own.
func (r *reader) checkEther(at *place, key string, medium link.Framing, a lladdr.Addr) {
	switch {
	case !a.IsValid():
	case a.Len() != medium.AddrLen():
		r.problem(at, fmt.Sprintf("%s: %v has %d bytes, the interface's addresses have %d", key, a, a.Len(), medium.AddrLen()))
	case medium.IsGroup(a) && !r.mib.Settings("").AllowMulticast:
		r.problem(at, fmt.Sprintf("%s: %v is a multicast address", key, a))
	}
}

// framing returns that of the interface.
func (c Config) framing(ifname string) link.Framing {
	if i, ok := c.Match(ifname); ok && i.Datapath == TUN {
		return i.Medium.Framing()
	}
	return Ethernet.Framing()
}

// Framing returns how frames are made on m.
func (m Medium) Framing() link.Framing {
	switch m {
	case TokenRing:
		return link.TokenRing{}
	case ARCnet:
		return link.ARCnet{}
	}
	return link.Ethernet{}
}

// checkDatapaths looks for interfaces that are to be used in two ways at once.
func (r *reader) checkDatapaths(c Config) {
	for _, i := range c.Interfaces {
		at := &place{line: i.Line, column: 1}
		if member := r.claims[claim{"group member", i.Name}]; member != nil && i.Datapath != Kernel {
			r.problem(at, fmt.Sprintf("interface.datapath: %s is a group member in line %d, which needs %q", i.Name, member.line, Kernel))
		}
		kind, port, _ := strings.Cut(i.Port, ":")
		if i.Datapath != TUN || kind == "cable" || port == "" {
			continue
		}
		r.once(at, "port", port)
		for _, other := range c.Interfaces {
			if other.Name == port {
				r.problem(at, fmt.Sprintf("interface.port: %s is an interface of its own in line %d", port, other.Line))
			}
		}
	}
}
