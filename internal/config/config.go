// Package config reads the configuration of isat, isat.toml(5): strictly, with
// every problem named by file and line, and before anything on the host
// changes. It is pure: what it returns is data, and whoever applies it is
// elsewhere.
package config

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// Config is one configuration. It is plain data without hidden parts; [Default]
// is the one of an empty file. Slices keep the order of the file.
//
// Line in its parts is the line of the file that names the part, from 1, or 0
// where it comes from no file; [Diff] ignores it.
type Config struct {
	Daemon     Daemon
	Sysctl     map[string]int64 // values of nodes for the whole host; nil if none
	Interfaces []Interface      // names and patterns, each once
	Entries    []Entry          // [[arp]]
	Policies   []Policy         // [[dad]]
	Proxies    []Proxy          // [[proxy]]

	// Sections for which the work is still to come: [Parse] checks their form
	// and refuses them, so they are empty in every Config that it returns
	// without an error.
	Groups []Group // [[ipmp]]
	Hooks  []Hook  // [[hook]]
}

// Daemon is the section [daemon]. A change of it takes effect when the daemon
// starts the next time.
type Daemon struct {
	Socket      string // absolute path of the HTTP socket; ioctl.sock lies beside it
	Read        Readers
	SocketGroup string // name of the group that may read more than everybody
	RuntimeDir  string // absolute path of the records of what was changed
	StateDir    string // absolute path of the history
	HTTP        string // host:port of metrics and the read-only API; "" for none
}

// Readers tells who may read what `ip neigh` shows anyone.
type Readers string

// The readers.
const (
	ReadAll   Readers = "all"   // everybody
	ReadGroup Readers = "group" // root, the daemon's user and the socket group
)

// Interface is a section [[interface]].
type Interface struct {
	Line        int
	Name        string // as the system names it, or a pattern as path.Match takes it
	Datapath    Datapath
	ARP         Mode
	DAD         bool // probe, watch and defend own addresses (RFC 5227)
	Down        Teardown
	Reprobe     Reprobe
	VerifyMoves bool
	Accel       Accel
	Sysctl      map[string]int64 // values of nodes for this interface alone; nil if none

	// For Datapath TUN only.
	Port      string // packet:IFNAME, tap:IFNAME or cable:PATH
	Medium    Medium
	MAC       lladdr.Addr // the zero Addr: the port's own
	MTU       int         // bytes
	Addresses []netip.Prefix
	Gateway   netip.Addr // the zero Addr: none
}

// IsPattern reports whether the name of i is a pattern, which may stand for any
// number of interfaces.
func (i Interface) IsPattern() bool { return isPattern(i.Name) }

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// Datapath is how an interface carries IP.
type Datapath string

// The datapaths.
const (
	Kernel  Datapath = "kernel"  // isat is the Linux kernel's ARP on the interface
	TUN     Datapath = "tun"     // isat is a whole ARP host of its own behind a TUN device
	Observe Datapath = "observe" // isat only watches
)

// Mode is how an interface does ARP.
type Mode string

// The modes.
const (
	On     Mode = "on"
	Static Mode = "static" // IFF_STATICARP: answers, never learns or asks
	Off    Mode = "off"    // IFF_NOARP
)

// Teardown is what a lost conflict takes down.
type Teardown string

// The teardowns.
const (
	DownAddress   Teardown = "address"
	DownInterface Teardown = "interface"
)

// Reprobe is what happens to a verified address when its interface gets its
// link back.
type Reprobe string

// The reprobes.
const (
	ReprobeAnnounce Reprobe = "announce" // announced, and probed beside it
	ReprobeStrict   Reprobe = "strict"   // silent until probed
)

// Accel is what answers beside the engine.
type Accel string

// The accelerations.
const (
	AccelNone Accel = ""
	AccelXDP  Accel = "xdp"
)

// Medium is the framing of a port.
type Medium string

// The media.
const (
	Ethernet  Medium = "ethernet"
	TokenRing Medium = "token-ring"
	ARCnet    Medium = "arcnet"
)

// Entry is a section [[arp]]: what `arp -s` sets.
type Entry struct {
	Line      int
	Host      netip.Addr
	Ether     lladdr.Addr // the zero Addr for "auto", with Pub only
	Interface string      // "": by route
	Temp      bool        // lives max_age; else permanent
	Pub       Publish
	Action    Action
}

// Publish tells whether requests of others for an entry are answered.
type Publish string

// The ways of publishing; in a file they are false, true and "only".
const (
	PubNo   Publish = ""
	PubYes  Publish = "yes"
	PubOnly Publish = "only" // answered for others, not used for own traffic
)

// Action is what becomes of packets to an entry.
type Action string

// The actions.
const (
	Forward   Action = ""
	Reject    Action = "reject"    // the sender gets an error
	Blackhole Action = "blackhole" // dropped in silence
)

// Proxy is a section [[proxy]]: a rule to answer for all addresses of a prefix.
type Proxy struct {
	Line      int
	Prefix    netip.Prefix
	Interface string
	Ether     lladdr.Addr // the zero Addr: "auto"
	DenyFrom  []netip.Prefix
}

// Group is a section [[ipmp]].
type Group struct {
	Line              int
	Name              string
	Interfaces        []string
	Standby           []string
	Addresses         []netip.Prefix
	FailureDetection  time.Duration
	Failback          bool
	TransitiveProbing bool
	ReturnAddresses   bool
	Targets           []netip.Addr
	TestAddresses     map[string]netip.Addr // by interface
}

// Hook is a section [[hook]]: exactly one of Exec and Webhook is set.
type Hook struct {
	Line    int
	Events  []string
	Exec    []string
	Webhook string
}

// Match returns the section for the interface named ifname: the one of exactly
// that name, else the first in the file whose pattern matches it. It reports
// false if there is none.
func (c Config) Match(ifname string) (Interface, bool) {
	for _, i := range c.Interfaces {
		if i.Name == ifname {
			return i, true
		}
	}
	for _, i := range c.Interfaces {
		if ok, err := path.Match(i.Name, ifname); ok && err == nil {
			return i, true
		}
	}
	return Interface{}, false
}

// With returns c with a section of default settings and the datapath d for each
// of the interfaces, named on the command line, that c says nothing about.
func (c Config) With(d Datapath, ifnames ...string) Config {
	c.Interfaces = slices.Clone(c.Interfaces)
	for _, name := range ifnames {
		if _, ok := c.Match(name); !ok {
			i := DefaultInterface(name)
			i.Datapath = d
			c.Interfaces = append(c.Interfaces, i)
		}
	}
	return c
}
