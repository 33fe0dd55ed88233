package host

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
	"github.com/isat-project/isat/route"
)

// InterfaceConfig describes an interface to attach.
type InterfaceConfig struct {
	Name    string       // unique in the host
	Index   int          // from 1, unique in the host; it never changes
	MAC     lladdr.Addr  // of the length that Framing has
	Port    Port         // the link side; the host closes it
	Framing link.Framing // nil: [link.Ethernet]
	Mode    Mode
	Reply   ReplyPolicy
	// DropGratuitous ignores announcements of others (Linux' drop_gratuitous_arp).
	DropGratuitous bool
	// Addresses are the interface's own at the start; they are not announced. With
	// DAD they count as in use: they are announced once and watched.
	Addresses []Address
	// AnyTarget makes every address one of the link, because the IP side has
	// chosen the interface already: that of a taken-over interface.
	AnyTarget bool
	// UseDelay is how long the IP side takes to report use of a Watched
	// neighbour; 0 if there is none.
	UseDelay time.Duration
	// Down says that the link is down at the start: see [Interface.SetRunning].
	Down bool
	// DAD says that the own addresses are probed, announced, watched and defended
	// by the rules of package acd; otherwise those of FreeBSD hold. See
	// [Interface.SetDAD].
	DAD bool
	// Reprobe is what DAD does with the addresses in use when the link comes back.
	Reprobe acd.Reprobe
	// ReportsLink says that the driver tells when the link comes and goes: probes
	// are fast then.
	ReportsLink bool
	// Deliver takes the IPv4 packets that come in, padding included; nil drops
	// them. It is called under the host's lock, must not call the host and does
	// not keep the packet.
	Deliver func(packet []byte)
}

// Address is an own address of an interface.
type Address struct {
	Prefix    netip.Prefix // the address with the length of its network
	HostScope bool         // of Linux' scope host: not for others
	Policy    acd.Policy   // how it is treated, where there is DAD
	Label     string       // its name in diagnostics, such as "eth0:vip"; "" is that of the interface
}

// Interface is an attached interface. Its methods are safe for concurrent use.
type Interface struct {
	host     *Host
	index    int
	port     Port
	framing  link.Framing
	deliver  func([]byte)
	implicit bool
	closed   chan struct{} // closed by Detach

	// Guarded by host.mu.
	name           string
	mac            lladdr.Addr
	mode           Mode
	reply          ReplyPolicy
	dropGratuitous bool
	proxyARP       bool // see SetProxyARP
	dad            bool // see SetDAD
	detecting      bool // own addresses have machines: see detects
	up             bool
	detached       bool
	addresses      []Address                   // in the order of SetAddresses
	own            map[uint32]*own             // of these and of the withdrawn ones, by route.Key
	round          uint                        // counts the lists of own addresses
	broadcasts     map[uint32]struct{}         // of the networks of addresses, by route.Key
	detector       *acd.Interface              // what own addresses and inquiries share
	inquiries      map[netip.Addr]*inquiry     // the first of each address
	proxied        map[netip.Addr]*proxied     // published addresses that are probed first
	waiting        bool                        // requests wait for a sender that is verified
	networks       []*route.Network[entry]     // the cloning ones
	dynamic        []*entry                    // all but the permanent ones
	published      map[netip.Addr]*publication // published-only entries
	announcements  map[netip.Addr]*announcement
	heard          map[lladdr.Addr]bool // siblings that were reported
	settings       *mib.Settings
	limits         cache.Limits
	useDelay       time.Duration
	stats          Stats
	queue          transmitQueue
	packet         []byte // for the packet under construction
}

// Attach adds an interface. The host reads its port from then on, if it runs.
// The error wraps EEXIST for a name or index that is there already, and EINVAL
// for a configuration that makes no sense. The host owns the port if there is no
// error.
func (h *Host) Attach(c InterfaceConfig) (*Interface, error) {
	if c.Framing == nil {
		c.Framing = link.Ethernet{}
	}
	switch {
	case c.Name == "" || c.Index <= 0 || c.Port == nil:
		return nil, fmt.Errorf("attaching interface %q: it needs a name, an index and a port: %w", c.Name, syscall.EINVAL)
	}
	h.mu.Lock()
	defer h.unlock()
	if err := h.checkStation(c.Name, c.Framing, c.MAC); err != nil {
		return nil, fmt.Errorf("attaching interface %q: %w", c.Name, err)
	}
	for _, other := range h.interfaces {
		if other.name == c.Name || other.index == c.Index {
			return nil, fmt.Errorf("attaching interface %q, index %d: %q has index %d: %w", c.Name, c.Index, other.name, other.index, syscall.EEXIST)
		}
	}
	ifc := &Interface{
		host: h, index: c.Index, port: c.Port, framing: c.Framing, deliver: c.Deliver, implicit: c.AnyTarget,
		closed: make(chan struct{}),
		name:   c.Name, mac: c.MAC, mode: c.Mode, reply: c.Reply, dropGratuitous: c.DropGratuitous,
		up: !c.Down, useDelay: c.UseDelay, dad: c.DAD,
		own: make(map[uint32]*own), inquiries: make(map[netip.Addr]*inquiry), proxied: make(map[netip.Addr]*proxied),
		published:     make(map[netip.Addr]*publication),
		announcements: make(map[netip.Addr]*announcement), heard: make(map[lladdr.Addr]bool),
	}
	h.readSettings(ifc)
	ifc.detector, ifc.detecting = h.newDetector(ifc, c), ifc.detects()
	if c.AnyTarget {
		n, err := h.routes.Add(route.Spec{Prefix: anyPrefix, Interface: c.Index, Flags: route.Cloning, Implicit: true})
		if err != nil {
			return nil, fmt.Errorf("attaching interface %q: %w", c.Name, err)
		}
		ifc.networks = append(ifc.networks, n)
	}
	h.interfaces = append(h.interfaces, ifc)
	h.publishOutlets()
	if err := h.setAddresses(time.Now(), ifc, c.Addresses, true); err != nil {
		h.detach(ifc)
		return nil, err
	}
	h.startReader(ifc)
	return ifc, nil
}

// anyPrefix is every address.
var anyPrefix = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// Detach takes the interface out of the host with its entries and routes, and
// closes its port. The IP side is told that the entries are gone. It returns
// the error of closing the port.
func (i *Interface) Detach() error {
	h := i.host
	h.mu.Lock()
	if i.detached {
		h.mu.Unlock()
		return nil
	}
	h.detach(i)
	h.unlock()
	return i.port.Close()
}

func (h *Host) detach(ifc *Interface) {
	for _, a := range ifc.announcements {
		h.timers.Remove(&a.timer)
	}
	for _, o := range ifc.own {
		h.timers.Remove(&o.timer)
		if o.watched() {
			h.touchOwn(o)
		}
	}
	for e := range ifc.entries() {
		h.deleteEntry(e, syscall.ENETDOWN)
	}
	for _, p := range ifc.publications() {
		h.unpublish(p, event.Deleted)
	}
	h.routes.DeleteInterface(ifc.index)
	ifc.networks = nil
	ifc.detached = true
	clear(ifc.own)
	h.followLink(time.Now(), ifc, false) // who inquires gets an error
	h.decisions.Forget(ifc.name)
	h.gone.add(&ifc.stats)
	close(ifc.closed)
	h.interfaces = slices.DeleteFunc(h.interfaces, func(other *Interface) bool { return other == ifc })
	h.publishOutlets()
}

// readSettings takes over the tunables of an interface.
func (h *Host) readSettings(ifc *Interface) {
	s := h.mib.Settings(ifc.name)
	if s == ifc.settings {
		return
	}
	ifc.settings = s
	ifc.limits = cache.Limits{MaxAge: s.MaxAge, MaxTries: s.MaxTries, Wait: s.Wait, MaxHold: s.MaxHold, UseDelay: ifc.useDelay}
	if ifc.detector != nil {
		ifc.detector.Config = &s.ACD
		h.tellMachines(time.Now(), ifc, acd.Input{})
	}
	for e := range ifc.entries() {
		ifc.stats.Dropped += uint64(len(e.Trim()))
		h.timers.Set(&e.timer, e.Deadline())
	}
	for len(ifc.dynamic) > s.MaxEntries && h.evict(ifc) {
	}
	for _, p := range ifc.published {
		h.timers.Set(&p.timer, p.expires())
	}
}

// Name returns the present name.
func (i *Interface) Name() string {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.name
}

// Index returns the index.
func (i *Interface) Index() int { return i.index }

// Framing returns the medium, which never changes.
func (i *Interface) Framing() link.Framing { return i.framing }

// MAC returns the present link-layer address.
func (i *Interface) MAC() lladdr.Addr {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.mac
}

// Running reports whether the link is up.
func (i *Interface) Running() bool {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.up
}

// Rename tells the host that the interface has another name now.
func (i *Interface) Rename(name string) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.name == name {
		return
	}
	old := i.name
	i.name = name
	for _, o := range i.own {
		if o.address.Label == old {
			o.address.Label = "" // the IP side says when it is more than the name
		}
	}
	h.decisions.Forget(old)
	h.decisions.Invalidate() // those of others name it
	h.readSettings(i)
	h.record(event.Event{Type: event.Changed, Interface: name, Severity: event.Info, Message: fmt.Sprintf("isat: %s is now named %s", old, name)})
}
