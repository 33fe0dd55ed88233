//go:build linux

package guard

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrLost is the loss of the table while it was in use. The owner flag keeps
// others from deleting it, so this is not expected; close the guard and open a new
// one, and until then count the kernel's ARP as not silenced.
var ErrLost = errors.New("the nftables table of the guard is gone")

// UnsupportedError is a kernel that lacks something that the guard needs.
type UnsupportedError struct {
	Feature string // what is missing, and the release or option that has it
	Err     error  // the kernel's answer
}

// Error names the feature and what the kernel said.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("this kernel lacks %s: %v", e.Feature, e.Err)
}

// Unwrap returns the kernel's answer, an errno with its context.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// TakenError is a table of the guard's name that is there already. It is EBUSY to
// [errors.Is].
type TakenError struct {
	// Port is the netlink port of the socket that owns the table. It is the id of
	// its process if that socket was the first of its kind there. 0 means that
	// nobody owns the table: somebody made it by hand.
	Port   uint32
	Family string // of the table
	Table  string // its name
}

// Error says who has the table and what can be done.
func (e *TakenError) Error() string {
	if e.Port == 0 {
		return fmt.Sprintf("a table of that name exists and is not isat's; delete it: nft delete table %s %s", e.Family, e.Table)
	}
	return fmt.Sprintf("another process owns a table of that name (netlink port %d, usually its process id); it goes when that process ends", e.Port)
}

// Is reports whether target is EBUSY.
func (e *TakenError) Is(target error) bool { return target == unix.EBUSY }

// The features that [UnsupportedError] names.
const (
	featureNFTables = "nf_tables (CONFIG_NF_TABLES)"
	featureARP      = "the arp family of nf_tables (CONFIG_NF_TABLES_ARP)"
	featureIP       = "the ip family of nf_tables (CONFIG_NF_TABLES_IPV4)"
	featureOwner    = "nftables tables with an owner (Linux 5.12)"
	featureSet      = "nftables sets with timeouts and the expressions meta, cmp, payload, lookup, counter and immediate (CONFIG_NF_TABLES and its modules)"
)

// explainSocket explains why there is no netfilter socket.
func explainSocket(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) {
		return &UnsupportedError{featureNFTables, err}
	}
	return err
}

// explainCreate explains why the kernel refused to make a table. owner looks up
// who owns the table that is there.
func explainCreate(r *refusal, t table, owner func() (uint32, error)) error {
	taken := func() error {
		port, err := owner()
		if err != nil {
			return fmt.Errorf("%w, and asking for its owner failed: %w", r.err, err)
		}
		return &TakenError{Port: port, Family: t.familyName, Table: t.name}
	}
	switch r.command {
	case noCommand:
		if errors.Is(r.err, unix.EOPNOTSUPP) {
			return &UnsupportedError{featureNFTables, r.err}
		}
	case unix.NFT_MSG_NEWTABLE:
		switch {
		// EEXIST is a table without owner. One with another owner gives EPERM, but
		// on this command: without the capability no command is looked at.
		case errors.Is(r.err, unix.EEXIST), errors.Is(r.err, unix.EPERM):
			return taken()
		// A flag that the kernel does not know: EINVAL, and newer ones EOPNOTSUPP.
		case errors.Is(r.err, unix.EINVAL), errors.Is(r.err, unix.EOPNOTSUPP):
			return &UnsupportedError{featureOwner, r.err}
		case errors.Is(r.err, unix.EAFNOSUPPORT):
			return &UnsupportedError{t.feature, r.err}
		}
	case unix.NFT_MSG_NEWCHAIN:
		// The kernel has no chain type "filter" for the family.
		if errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.EOPNOTSUPP) {
			return &UnsupportedError{t.feature, r.err}
		}
	case unix.NFT_MSG_NEWSET, unix.NFT_MSG_NEWRULE:
		if errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.EOPNOTSUPP) {
			return &UnsupportedError{featureSet, r.err}
		}
	}
	return explainPermission(r)
}

// explainChange explains why the kernel refused to change the table.
func explainChange(r *refusal) error {
	switch {
	case r.command == noCommand:
		return explainPermission(r)
	// EPERM on a command: the table is another process's now.
	case errors.Is(r.err, unix.ENOENT), errors.Is(r.err, unix.EPERM):
		return fmt.Errorf("%w: %w", ErrLost, r.err)
	}
	return r.err
}

// explainPermission says what the process lacks if the kernel refused everything.
func explainPermission(r *refusal) error {
	if r.command == noCommand && errors.Is(r.err, unix.EPERM) {
		return fmt.Errorf("the process needs CAP_NET_ADMIN over this network namespace; run it as root or grant the capability: %w", r.err)
	}
	return r.err
}
