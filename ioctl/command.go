package ioctl

import "fmt"

// Command is the number of an ioctl.
type Command uint32

// The ARP ioctls.
const (
	// The plain three take an [ARPReq] (linux/sockios.h).
	SIOCDARP Command = 0x8953 // delete
	SIOCGARP Command = 0x8954 // get
	SIOCSARP Command = 0x8955 // set

	// The extended three take an [XARPReq] (Solaris' sys/sockio.h: 166, 167 and 168
	// of group 'i', with the size 512 cut to the eight bits it has there).
	SIOCSXARP Command = 0x800069a6 // set
	SIOCGXARP Command = 0xc00069a7 // get
	SIOCDXARP Command = 0x800069a8 // delete

	// Table is no ioctl but a request of ioctl.sock: the next lines of
	// /proc/net/arp for entries that the kernel does not list. It has no struct.
	// The first one of a connection takes the table as it is then; the answer after
	// the last line is empty, and the next request starts again.
	Table Command = 1

	// Whose is no ioctl either: with the [ARPReq] of a SET or DELETE it asks whether
	// the interface of that is one on which the daemon does ARP, and ENXIO is no. It
	// is for those who may read.
	Whose Command = 2
)

// String returns the name in C.
func (c Command) String() string {
	switch c {
	case SIOCDARP:
		return "SIOCDARP"
	case SIOCGARP:
		return "SIOCGARP"
	case SIOCSARP:
		return "SIOCSARP"
	case SIOCSXARP:
		return "SIOCSXARP"
	case SIOCGXARP:
		return "SIOCGXARP"
	case SIOCDXARP:
		return "SIOCDXARP"
	case Table:
		return "table"
	case Whose:
		return "whose"
	}
	return fmt.Sprintf("ioctl %#x", uint32(c))
}

// Size returns the length in bytes of the struct that c takes: 0 for [Table], and
// false for what is none of the commands above.
func (c Command) Size() (n int, known bool) {
	switch c {
	case SIOCDARP, SIOCGARP, SIOCSARP, Whose:
		return ARPReqLen, true
	case SIOCSXARP, SIOCGXARP, SIOCDXARP:
		return XARPReqLen, true
	case Table:
		return 0, true
	}
	return 0, false
}

// Operation is what a command does with entries.
type Operation uint8

// The operations.
const (
	List Operation = iota // [Table], and [Whose], which does nothing
	Get
	Set
	Delete
)

// Operation returns what c does; [List] for what is none of the commands above.
func (c Command) Operation() Operation {
	switch c {
	case SIOCGARP, SIOCGXARP:
		return Get
	case SIOCSARP, SIOCSXARP:
		return Set
	case SIOCDARP, SIOCDXARP:
		return Delete
	}
	return List
}

// Changes reports whether c needs privilege.
func (c Command) Changes() bool { return c.Operation() == Set || c.Operation() == Delete }
