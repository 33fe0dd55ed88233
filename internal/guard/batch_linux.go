//go:build linux

package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Values of linux/netfilter/nf_tables.h, and where it says so of others, that
// golang.org/x/sys/unix has not.
const (
	tableOwner     = 2 // NFT_TABLE_F_OWNER, since Linux 5.12
	attributeOwner = 7 // NFTA_TABLE_OWNER, a netlink port

	verdictDrop   = 0 // NF_DROP of linux/netfilter.h
	verdictAccept = 1 // NF_ACCEPT

	// ifnameType is nft(8)'s number of the data type ifname (TYPE_IFNAME of its
	// datatype.h). The kernel only keeps it, for nft list to show names.
	ifnameType = 41
)

// keyByteOrder is user data, of which the kernel knows nothing, that tells nft(8)
// to show the elements as strings: type NFTNL_UDATA_SET_KEYBYTEORDER and length, a
// byte each, then BYTEORDER_HOST_ENDIAN (libnftnl/udata.h, nft's datatype.h).
var keyByteOrder = binary.NativeEndian.AppendUint32([]byte{0, 4}, 1)

// elementsPerMessage keeps the attribute with the elements below the 65,535 bytes
// that its length field holds; an element takes 28.
const elementsPerMessage = 1024

// batch is a list of nf_tables commands that the kernel applies all together or
// not at all. A batch with its family alone is empty. Building goes on after an error, which
// commit returns.
type batch struct {
	family   uint8
	commands []netlink.Message
	err      error
}

// add appends a command on the family. Integers in nf_tables attributes are
// big-endian.
func (b *batch) add(command uint16, flags netlink.HeaderFlags, attributes func(*netlink.AttributeEncoder)) {
	data, err := encode(attributes)
	if err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("encoding nf_tables message %d: %w", command, err))
	}
	b.commands = append(b.commands, netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | command),
			Flags: netlink.Request | netlink.Acknowledge | flags,
		},
		Data: append(header(b.family, 0), data...),
	})
}

func (b *batch) newTable() {
	b.add(unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_TABLE_NAME, tableName)
		a.Uint32(unix.NFTA_TABLE_FLAGS, tableOwner)
	})
}

func (b *batch) newSet() {
	b.add(unix.NFT_MSG_NEWSET, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_TABLE, tableName)
		a.String(unix.NFTA_SET_NAME, setName)
		a.Uint32(unix.NFTA_SET_ID, 1) // any: unique among the sets of a batch
		a.Uint32(unix.NFTA_SET_FLAGS, unix.NFT_SET_TIMEOUT)
		a.Uint32(unix.NFTA_SET_KEY_TYPE, ifnameType)
		a.Uint32(unix.NFTA_SET_KEY_LEN, unix.IFNAMSIZ)
		a.Uint64(unix.NFTA_SET_TIMEOUT, uint64(Timeout.Milliseconds()))
		a.Bytes(unix.NFTA_SET_USERDATA, keyByteOrder)
	})
}

func (b *batch) newChain(c chain) {
	b.add(unix.NFT_MSG_NEWCHAIN, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_CHAIN_TABLE, tableName)
		a.String(unix.NFTA_CHAIN_NAME, c.name)
		a.String(unix.NFTA_CHAIN_TYPE, "filter")
		a.Uint32(unix.NFTA_CHAIN_POLICY, verdictAccept)
		a.Nested(unix.NFTA_CHAIN_HOOK, func(a *netlink.AttributeEncoder) error {
			a.Uint32(unix.NFTA_HOOK_HOOKNUM, c.hook)
			a.Int32(unix.NFTA_HOOK_PRIORITY, c.priority)
			return nil
		})
	})
}

// newRule appends "META @guarded counter drop" to a chain, where META is the
// interface name that the packet came in or goes out by.
func (b *batch) newRule(c chain) {
	b.add(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_RULE_TABLE, tableName)
		a.String(unix.NFTA_RULE_CHAIN, c.name)
		a.Nested(unix.NFTA_RULE_EXPRESSIONS, func(a *netlink.AttributeEncoder) error {
			expression(a, "meta", func(a *netlink.AttributeEncoder) {
				a.Uint32(unix.NFTA_META_KEY, c.meta)
				a.Uint32(unix.NFTA_META_DREG, unix.NFT_REG_1)
			})
			expression(a, "lookup", func(a *netlink.AttributeEncoder) {
				a.String(unix.NFTA_LOOKUP_SET, setName)
				a.Uint32(unix.NFTA_LOOKUP_SREG, unix.NFT_REG_1)
			})
			expression(a, "counter", func(*netlink.AttributeEncoder) {})
			expression(a, "immediate", func(a *netlink.AttributeEncoder) {
				a.Uint32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
				a.Nested(unix.NFTA_IMMEDIATE_DATA, func(a *netlink.AttributeEncoder) error {
					a.Nested(unix.NFTA_DATA_VERDICT, func(a *netlink.AttributeEncoder) error {
						a.Uint32(unix.NFTA_VERDICT_CODE, verdictDrop)
						return nil
					})
					return nil
				})
			})
			return nil
		})
	})
}

// flushSet deletes the elements of the set, however many there are.
func (b *batch) flushSet() {
	b.add(unix.NFT_MSG_DELSETELEM, 0, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_ELEM_LIST_TABLE, tableName)
		a.String(unix.NFTA_SET_ELEM_LIST_SET, setName)
	})
}

// addElements adds interfaces to the set, with the timeout of the set.
func (b *batch) addElements(names []string) {
	for some := range slices.Chunk(names, elementsPerMessage) {
		b.add(unix.NFT_MSG_NEWSETELEM, netlink.Create, elements(some))
	}
}

// deleteElement deletes one interface from the set; the kernel refuses the batch
// with ENOENT if it is not there.
func (b *batch) deleteElement(name string) {
	b.add(unix.NFT_MSG_DELSETELEM, 0, elements([]string{name}))
}

// elements encodes interface names as elements of the set.
func elements(names []string) func(*netlink.AttributeEncoder) {
	return func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_ELEM_LIST_TABLE, tableName)
		a.String(unix.NFTA_SET_ELEM_LIST_SET, setName)
		a.Nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(a *netlink.AttributeEncoder) error {
			for _, name := range names {
				a.Nested(unix.NFTA_LIST_ELEM, func(a *netlink.AttributeEncoder) error {
					a.Nested(unix.NFTA_SET_ELEM_KEY, func(a *netlink.AttributeEncoder) error {
						// The meta expression pads the name with zeroes, too.
						key := make([]byte, unix.IFNAMSIZ)
						copy(key, name)
						a.Bytes(unix.NFTA_DATA_VALUE, key)
						return nil
					})
					return nil
				})
			}
			return nil
		})
	}
}

// expression appends one expression to a list of them.
func expression(a *netlink.AttributeEncoder, name string, attributes func(*netlink.AttributeEncoder)) {
	a.Nested(unix.NFTA_LIST_ELEM, func(a *netlink.AttributeEncoder) error {
		a.String(unix.NFTA_EXPR_NAME, name)
		a.Nested(unix.NFTA_EXPR_DATA, func(a *netlink.AttributeEncoder) error {
			attributes(a)
			return nil
		})
		return nil
	})
}

// encode returns attributes in the byte order of nf_tables.
func encode(attributes func(*netlink.AttributeEncoder)) ([]byte, error) {
	a := netlink.NewAttributeEncoder()
	a.ByteOrder = binary.BigEndian
	attributes(a)
	return a.Encode()
}

// header returns struct nfgenmsg, which begins every netfilter message. resource
// is the subsystem in the messages around a batch, and 0 elsewhere.
func header(family uint8, resource uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
}
