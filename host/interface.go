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

// Mode is how much ARP an interface does.
type Mode uint8

// The modes.
const (
	On     Mode = iota // ask, answer and learn
	Static             // answer only: IFF_STATICARP of ifconfig(8)
	Off                // nothing: IFF_NOARP
	Watch              // learn and report what passes, send nothing
)

// String returns the word of the configuration for m.
func (m Mode) String() string {
	names := [...]string{"on", "static", "off", "observe"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ReplyPolicy says for which of the host's own addresses an interface answers.
// The numbers and their meaning are those of Linux' arp_ignore
// (Documentation/networking/ip-sysctl.rst).
type ReplyPolicy uint8

// The policies.
const (
	ReplyAny        ReplyPolicy = 0 // any own address, of whichever interface
	ReplyInterface  ReplyPolicy = 1 // addresses of this interface
	ReplySameSubnet ReplyPolicy = 2 // the same, if the sender is in the subnet of the address
	ReplyNotHost    ReplyPolicy = 3 // any own address but those of scope host
	ReplyNever      ReplyPolicy = 8 // none
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
	// Addresses are the interface's own at the start; they are not announced.
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
	reprobe        acd.Reprobe
	up             bool
	detached       bool
	addresses      []Address
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
		up: !c.Down, useDelay: c.UseDelay, dad: c.DAD, reprobe: c.Reprobe,
		published:     make(map[netip.Addr]*publication),
		announcements: make(map[netip.Addr]*announcement), heard: make(map[lladdr.Addr]bool),
	}
	h.readSettings(ifc)
	if c.AnyTarget {
		n, err := h.routes.Add(route.Spec{Prefix: anyPrefix, Interface: c.Index, Flags: route.Cloning, Implicit: true})
		if err != nil {
			return nil, fmt.Errorf("attaching interface %q: %w", c.Name, err)
		}
		ifc.networks = append(ifc.networks, n)
	}
	h.interfaces = append(h.interfaces, ifc)
	h.publishOutlets()
	if err := h.setAddresses(ifc, c.Addresses); err != nil {
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
	for e := range ifc.entries() {
		h.deleteEntry(e, syscall.ENETDOWN)
	}
	for _, p := range ifc.publications() {
		h.unpublish(p, event.Deleted)
	}
	h.routes.DeleteInterface(ifc.index)
	ifc.networks = nil
	ifc.detached = true
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

// Mode returns how much ARP the interface does.
func (i *Interface) Mode() Mode {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.mode
}

// SetMode changes how much ARP the interface does. Whoever waits for an answer that
// may not be asked for any more gets an error.
func (i *Interface) SetMode(m Mode) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	i.mode = m
	h.publishOutlets()
	if m == On {
		return
	}
	now := time.Now()
	for _, e := range i.dynamic {
		if e.State() == cache.Incomplete || e.Waited() && !e.State().Usable() {
			h.deny(now, e)
		}
	}
}

// SetReply changes what the interface answers for.
func (i *Interface) SetReply(p ReplyPolicy, dropGratuitous bool) {
	i.host.mu.Lock()
	defer i.host.unlock()
	i.reply, i.dropGratuitous = p, dropGratuitous
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
	h.decisions.Forget(old)
	h.decisions.Invalidate() // those of others name it
	h.readSettings(i)
	h.record(event.Event{Type: event.Changed, Interface: name, Severity: event.Info, Message: fmt.Sprintf("isat: %s is now named %s", old, name)})
}

// SetMAC tells the host that the interface has another link-layer address.
// Dynamic entries go, as they do in the kernel; permanent ones and the own and
// published addresses are told anew (facts/freebsd-arp.md 5.2). The error wraps
// EINVAL for an address that no station of the medium has.
func (i *Interface) SetMAC(mac lladdr.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.mac == mac {
		return nil
	}
	if err := h.checkStation(i.name, i.framing, mac); err != nil {
		return fmt.Errorf("changing the address of %s: %w", i.name, err)
	}
	old := i.mac
	i.mac = mac
	h.publishOutlets()
	// Those that are waited for go on: the next request has the new address.
	h.dropDynamic(i, func(e *entry) bool { return len(e.waiters) > 0 })
	h.followMAC(time.Now(), i)
	h.record(event.Event{Type: event.Changed, Interface: i.name, MAC: mac, OldMAC: old, Severity: event.Info,
		Message: fmt.Sprintf("isat: %s has address %v now, had %v", i.name, mac, old)})
	if i.up {
		h.restoreLink(i)
	}
	return nil
}

// SetRunning tells the host that the link came up or went down. While it is down
// nothing is sent. Dynamic entries end with the link (facts/freebsd-arp.md 2.5);
// when it comes back permanent ones are told to the IP side again, and the own and
// the published addresses are announced.
func (i *Interface) SetRunning(up bool) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.up == up {
		return
	}
	i.up = up
	h.publishOutlets()
	if !up {
		h.dropDynamic(i, func(*entry) bool { return false })
		h.record(event.Event{Type: event.LinkDown, Interface: i.name, Severity: event.Info, Message: fmt.Sprintf("isat: %s: link is down", i.name)})
		return
	}
	h.record(event.Event{Type: event.LinkUp, Interface: i.name, Severity: event.Info, Message: fmt.Sprintf("isat: %s: link is up", i.name)})
	h.restoreLink(i)
}

// restoreLink tells a link that is there again what it has to know.
func (h *Host) restoreLink(ifc *Interface) {
	for e := range ifc.entries() {
		if e.installed {
			h.touch(e.key())
		}
	}
	for _, a := range ifc.addresses {
		h.announce(ifc, a.Prefix.Addr())
	}
	h.announcePublished(ifc)
}

// dropDynamic removes the entries that are not permanent, but those to keep and
// those that say more than where their owner is on the link.
func (h *Host) dropDynamic(ifc *Interface, keep func(*entry) bool) {
	for _, e := range slices.Clone(ifc.dynamic) {
		if !keep(e) && !e.ordered() {
			h.deleteEntry(e, syscall.ENETDOWN)
		}
	}
}
