package host

import (
	"fmt"
	"time"

	"github.com/isat-project/isat/cache"
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

// DoesARP reports whether an interface sends ARP at all: requests, replies or
// announcements.
func (m Mode) DoesARP() bool { return m == On || m == Static }

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

// Mode returns how much ARP the interface does.
func (i *Interface) Mode() Mode {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.mode
}

// SetMode changes how much ARP the interface does. Whoever waits for an answer that
// may not be asked for any more gets an error.
//
// Where there is DAD, Watch ends the detection of all own addresses, as SetDAD does;
// when it is over they count as in use. With Off they are used without detection,
// but what is withdrawn stays so, until there is ARP again to find out more.
func (i *Interface) SetMode(m Mode) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	now := time.Now()
	i.mode = m
	h.publishOutlets()
	h.resetDetection(now, i)
	if m == On {
		return
	}
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
