package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/gaissmai/bart"

	"github.com/isat-project/isat/lladdr"
)

// Rule answers on one interface for all addresses of a prefix: a section
// [[proxy]] of the configuration.
type Rule struct {
	Prefix    netip.Prefix
	Interface string
	// MAC is the link-layer address to answer with; the zero Addr is the
	// interface's own, "auto".
	MAC lladdr.Addr
	// DenyFrom are senders that get no answer from this rule, nor from a later
	// step. A probe has the sender 0.0.0.0.
	DenyFrom []netip.Prefix
}

// check returns an error that wraps EINVAL if r makes no sense on any medium.
func (r Rule) check() error {
	if err := checkPrefix(r.Prefix); err != nil {
		return err
	}
	first := r.Prefix.Addr()
	switch {
	case r.Interface == "":
		return fmt.Errorf("no interface: %w", syscall.EINVAL)
	case isNoHost(first) || r.Prefix == unspecified:
		return fmt.Errorf("no host has an address of it: %w", syscall.EINVAL)
	case r.MAC.IsValid() && (r.MAC.IsZero() || r.MAC.IsBroadcast()):
		return fmt.Errorf("link-layer address %v is no host's: %w", r.MAC, syscall.EINVAL)
	}
	for _, p := range r.DenyFrom {
		if err := checkPrefix(p); err != nil {
			return fmt.Errorf("deny-from %v: %w", p, err)
		}
	}
	return nil
}

// unspecified is 0.0.0.0 alone.
var unspecified = netip.PrefixFrom(netip.IPv4Unspecified(), 32)

// checkPrefix returns an error that wraps EINVAL if p is no IPv4 network.
func checkPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid() || !p.Addr().Is4():
		return fmt.Errorf("not an IPv4 prefix: %w", syscall.EINVAL)
	case p != p.Masked():
		return fmt.Errorf("host bits are set, the network is %v: %w", p.Masked(), syscall.EINVAL)
	}
	return nil
}

// clone returns r without memory that the caller has too.
func (r Rule) clone() Rule {
	r.DenyFrom = slices.Clone(r.DenyFrom)
	return r
}

// rule is a Rule in a set. It never changes.
type rule struct {
	Rule
	deny *bart.Lite // of DenyFrom, nil if there is none
}

func newRule(r Rule) *rule {
	in := &rule{Rule: r.clone()}
	if len(in.DenyFrom) > 0 {
		in.deny = new(bart.Lite)
		for _, p := range in.DenyFrom {
			in.deny.Insert(p)
		}
	}
	return in
}

// denies reports whether deny-from has the sender.
func (r *rule) denies(sender netip.Addr) bool { return r.deny != nil && r.deny.Contains(sender) }
