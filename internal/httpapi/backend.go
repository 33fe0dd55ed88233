package httpapi

import (
	"context"
	"net/netip"

	"github.com/isat-project/isat/api"
)

// Backend is what the server shows. All its methods are safe for concurrent
// use. Their errors go to the caller as they are; the [syscall.Errno] that one
// wraps decides the HTTP status, by [api.ErrnoStatus]. One that wraps none is
// status 500 with EIO, so that whatever the caller did wrong has to have one:
// EINVAL for a bad configuration, ENXIO for an unknown interface.
type Backend interface {
	Table
	Proxy
	MIB
	Daemon
}

// Table is the ARP table of the host.
type Table interface {
	// Entries returns what f.Interface and f.IP select. The server orders it and
	// cuts the page of f.After and f.Limit out; to return less is allowed if the
	// page is in it.
	Entries(ctx context.Context, f api.EntryFilter) ([]api.Entry, error)
	// SetEntry makes an entry or changes the one there. The server has checked
	// the form of e: an IPv4 address, a MAC of one or more bytes in the form of
	// [api.MAC] or, if it publishes, [api.EtherAuto], a known action.
	SetEntry(ctx context.Context, e api.SetEntry) (entry api.Entry, created bool, err error)
	// DeleteEntry deletes the entry of ip on an interface, on "" by route. ENOENT
	// if there is none, EPERM if it is that of an own address.
	DeleteEntry(ctx context.Context, ip netip.Addr, iface string, pubOnly bool) ([]api.Entry, error)
	// DeleteEntries deletes the entries of an interface, on "" of all, but those
	// of own addresses.
	DeleteEntries(ctx context.Context, iface string) ([]api.Entry, error)
	// Resolve waits for an answer until ctx is done. EHOSTDOWN: none from the
	// host; EHOSTUNREACH: none from its gateway.
	Resolve(ctx context.Context, ip netip.Addr, iface string) (api.Entry, error)
	// Announce announces own or published addresses now. EADDRNOTAVAIL if one is
	// neither; then none is announced.
	Announce(ctx context.Context, iface string, ips []netip.Addr) error
	// Probe asks whether addresses are free on an interface and calls found for each
	// as it becomes known, one at a time and not after it has returned. It ends when
	// ctx is done. EINVAL if an address is not one of a host, or is there twice;
	// ENETDOWN without a link.
	Probe(ctx context.Context, q api.ProbeRequest, found func(api.Probed)) error
}

// Proxy is the rules of who is answered for whom.
type Proxy interface {
	// ProxyRules returns the prefix rules. The server may change what it got.
	ProxyRules(ctx context.Context) ([]api.ProxyRule, error)
	// SetProxyRule makes a rule or changes the one there. The server has checked
	// the form of rule: IPv4 networks, an interface, a MAC of one or more bytes in
	// the form of [api.MAC] or [api.EtherAuto].
	SetProxyRule(ctx context.Context, rule api.ProxyRule) (set api.ProxyRule, created bool, err error)
	// DeleteProxyRule deletes a rule. ENXIO if there is none.
	DeleteProxyRule(ctx context.Context, prefix netip.Prefix, iface string) (api.ProxyRule, error)
	// Explain tells what becomes of a request. ENXIO if the interface is not taken
	// over, EINVAL if the MAC is not one of its medium.
	Explain(ctx context.Context, q api.ExplainQuery) (api.Explanation, error)
}

// MIB is the tree of tunables and counters: for the host, or for an interface
// if iface is not "". ENXIO if the daemon does not know the interface.
type MIB interface {
	// Sysctls returns all nodes in order of name.
	Sysctls(iface string) ([]api.SysctlNode, error)
	// Sysctl returns one node. ENOENT if there is none.
	Sysctl(name, iface string) (api.SysctlNode, error)
	// SetSysctl sets a node. EINVAL out of range, EPERM if it is read-only.
	SetSysctl(name, iface string, value int64) (api.SysctlNode, error)
	// ResetSysctl undoes SetSysctl. EPERM if it is read-only.
	ResetSysctl(name, iface string) (api.SysctlNode, error)
}

// Daemon is the process around the host.
type Daemon interface {
	Status(ctx context.Context) (api.Status, error)
	Interfaces(ctx context.Context) ([]api.Interface, error)
	Routes(ctx context.Context) ([]api.Route, error)
	// Stats has each interface once, with one name.
	Stats(ctx context.Context) (api.Stats, error)
	// Take takes an interface over. EALREADY or EBUSY if it is taken already.
	Take(ctx context.Context, iface string) (api.Interface, error)
	// Release hands an interface back. ENXIO if it is not taken.
	Release(ctx context.Context, iface string) error
	// Reload reads the configuration again. On an error nothing has changed.
	Reload(ctx context.Context) (api.ReloadResult, error)
}
