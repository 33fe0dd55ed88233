package route

// Flags are the flags of a route: RTF_* of FreeBSD 7's net/route.h, with its
// numbers.
type Flags uint32

// The flags, in the order of their bits. The letter is that of netstat(1).
const (
	Up        Flags = 0x1      // U: usable
	Gateway   Flags = 0x2      // G: the destination is behind a gateway
	Host      Flags = 0x4      // H: to one address, not to a network
	Reject    Flags = 0x8      // R: packets are refused with an error
	Dynamic   Flags = 0x10     // D: made by a redirect
	Modified  Flags = 0x20     // M: changed by a redirect
	Done      Flags = 0x40     // d: the message was confirmed
	Cloning   Flags = 0x100    // C: a lookup makes a host route below it
	XResolve  Flags = 0x200    // X: a program outside resolves the link-layer address
	LLInfo    Flags = 0x400    // L: carries a link-layer address, or will
	Static    Flags = 0x800    // S: made by the administrator
	Blackhole Flags = 0x1000   // B: packets are dropped without an error
	Proto2    Flags = 0x4000   // 2: for protocols; ARP's is Announce
	Proto1    Flags = 0x8000   // 1: for protocols
	PRCloning Flags = 0x10000  // c: a protocol makes host routes below it; kept for the ABI
	WasCloned Flags = 0x20000  // W: a host route made by a lookup
	Proto3    Flags = 0x40000  // 3: for protocols
	Pinned    Flags = 0x100000 // no letter: not to be changed
	Local     Flags = 0x200000 // no letter: an address of this host
	Broadcast Flags = 0x400000 // b: a broadcast address of the interface
	Multicast Flags = 0x800000 // no letter: a multicast address
)

// Announce marks a published ARP entry (RTF_ANNOUNCE, netinet/if_ether.h).
const Announce = Proto2

const (
	// derived flags follow from the other fields of a Spec; Table.Add sets them.
	derived = Up | Host | Gateway
	// onlyClones are the flags that a network never has.
	onlyClones = LLInfo | WasCloned
	// discards are the flags of a route that leads to no next hop.
	discards = Reject | Blackhole
)

// ofClone returns the flags of a clone made below a network with the flags f,
// given those that are its own: as RTM_RESOLVE in rtrequest1 of net/route.c and
// arp_rtrequest of netinet/if_ether.c set them, and RTM_ADD for what arp -s adds. A
// published one is no host route but one to a network of 32 bits: that is how
// arp(8) of FreeBSD 7 makes it match requests and packets alike.
func (f Flags) ofClone(own Flags) Flags {
	own |= f&^(Cloning|Static) | Up | LLInfo
	if own&Announce == 0 {
		own |= Host
	}
	if own&Static == 0 {
		own |= WasCloned
	}
	return own
}

// letters is the order in which netstat(1) prints the flags: the table bits of
// usr.bin/netstat/route.c in FreeBSD 7. Flags that are not in it have no letter.
var letters = [...]struct {
	flag   Flags
	letter byte
}{
	{Up, 'U'}, {Gateway, 'G'}, {Host, 'H'}, {Reject, 'R'}, {Dynamic, 'D'}, {Modified, 'M'},
	{Done, 'd'}, {Cloning, 'C'}, {XResolve, 'X'}, {LLInfo, 'L'}, {Static, 'S'},
	{Proto1, '1'}, {Proto2, '2'}, {WasCloned, 'W'}, {PRCloning, 'c'}, {Proto3, '3'},
	{Blackhole, 'B'}, {Broadcast, 'b'},
}

// String returns the letters of netstat(1), such as "UC" or "UHLW". Flags
// without a letter do not show.
func (f Flags) String() string {
	var buf [len(letters)]byte
	b := buf[:0]
	for _, l := range letters {
		if f&l.flag != 0 {
			b = append(b, l.letter)
		}
	}
	return string(b)
}
