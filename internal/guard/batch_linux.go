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

	// nft(8)'s numbers of data types (enum datatypes of its datatype.h).
	ipv4Type   = 7  // TYPE_IPADDR
	ifnameType = 41 // TYPE_IFNAME

	// nft(8)'s numbers of byte orders (enum byteorder of its datatype.h).
	hostOrder    = 1 // BYTEORDER_HOST_ENDIAN: strings are shown as such
	networkOrder = 2 // BYTEORDER_BIG_ENDIAN
)

// elementsPerMessage keeps the attribute with the elements below the 65,535 bytes
// that its length field holds; an element takes 28 at most.
const elementsPerMessage = 1024

// batch is a list of nf_tables commands on one table that the kernel applies all
// together or not at all. A batch with its table alone is empty. Building goes on
// after an error, which commit returns.
type batch struct {
	table    *table
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
		Data: append(header(b.table.family, 0), data...),
	})
}

func (b *batch) newTable() {
	b.add(unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_TABLE_NAME, b.table.name)
		a.Uint32(unix.NFTA_TABLE_FLAGS, tableOwner)
	})
}

func (b *batch) newSet() {
	b.add(unix.NFT_MSG_NEWSET, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_TABLE, b.table.name)
		a.String(unix.NFTA_SET_NAME, b.table.set.name)
		a.Uint32(unix.NFTA_SET_ID, 1) // any: unique among the sets of a batch
		a.Uint32(unix.NFTA_SET_FLAGS, unix.NFT_SET_TIMEOUT)
		a.Uint32(unix.NFTA_SET_KEY_TYPE, b.table.set.keyType)
		a.Uint32(unix.NFTA_SET_KEY_LEN, b.table.set.keyLen)
		a.Uint64(unix.NFTA_SET_TIMEOUT, uint64(Timeout.Milliseconds()))
		a.Bytes(unix.NFTA_SET_USERDATA, b.table.set.userData())
	})
}

func (b *batch) newChain(c chain) {
	b.add(unix.NFT_MSG_NEWCHAIN, netlink.Create|netlink.Excl, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_CHAIN_TABLE, b.table.name)
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

// newRule appends "MATCH @SET counter drop" to a chain.
func (b *batch) newRule(c chain) {
	b.add(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_RULE_TABLE, b.table.name)
		a.String(unix.NFTA_RULE_CHAIN, c.name)
		a.Nested(unix.NFTA_RULE_EXPRESSIONS, func(a *netlink.AttributeEncoder) error {
			e := &expressions{a}
			c.match(e)
			e.lookup(b.table.set.name)
			e.counter()
			e.drop()
			return nil
		})
	})
}

// flushSet deletes the elements of the set, however many there are.
func (b *batch) flushSet() {
	b.add(unix.NFT_MSG_DELSETELEM, 0, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_ELEM_LIST_TABLE, b.table.name)
		a.String(unix.NFTA_SET_ELEM_LIST_SET, b.table.set.name)
	})
}

// addElements adds keys to the set, with the timeout of the set. One that is there
// already stays as it is.
func (b *batch) addElements(keys [][]byte) {
	for some := range slices.Chunk(keys, elementsPerMessage) {
		b.add(unix.NFT_MSG_NEWSETELEM, netlink.Create, b.elements(some))
	}
}

// deleteElements deletes keys from the set; the kernel refuses the batch with
// ENOENT if one is not there.
func (b *batch) deleteElements(keys [][]byte) {
	for some := range slices.Chunk(keys, elementsPerMessage) {
		b.add(unix.NFT_MSG_DELSETELEM, 0, b.elements(some))
	}
}

// elements encodes keys as elements of the set.
func (b *batch) elements(keys [][]byte) func(*netlink.AttributeEncoder) {
	return func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_SET_ELEM_LIST_TABLE, b.table.name)
		a.String(unix.NFTA_SET_ELEM_LIST_SET, b.table.set.name)
		var list []byte
		for _, key := range keys {
			list = appendElement(list, key)
		}
		a.Bytes(unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_LIST_ELEMENTS, list)
	}
}

// appendElement appends a key as NFTA_LIST_ELEM { NFTA_SET_ELEM_KEY {
// NFTA_DATA_VALUE } }. It does so without a [netlink.AttributeEncoder], which
// allocates for every attribute: a set may have ten thousand keys, written each
// second.
func appendElement(b, key []byte) []byte {
	padded := (len(key) + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1)
	b = appendAttribute(b, unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, 2*unix.NLA_HDRLEN+padded)
	b = appendAttribute(b, unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_KEY, unix.NLA_HDRLEN+padded)
	b = appendAttribute(b, unix.NFTA_DATA_VALUE, len(key))
	b = append(b, key...)
	return append(b, make([]byte, padded-len(key))...)
}

// appendAttribute appends struct nlattr, which is in native byte order, before a
// value of so many bytes.
func appendAttribute(b []byte, typ uint16, length int) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLA_HDRLEN+length))
	return binary.NativeEndian.AppendUint16(b, typ)
}

// userData is of what the kernel knows nothing: it tells nft(8) how to show the
// elements. It is type NFTNL_UDATA_SET_KEYBYTEORDER and length, a byte each, then
// the byte order (libnftnl/udata.h).
func (s *set) userData() []byte { return binary.NativeEndian.AppendUint32([]byte{0, 4}, s.order) }

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
