//go:build linux

package guard

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// expressions are those of a rule, in the order in which the kernel goes through
// them. What one loads is in register 1 for the next.
type expressions struct {
	list *netlink.AttributeEncoder
}

// meta loads what is known of a packet beside its bytes: an NFT_META_* key.
func (e *expressions) meta(key uint32) {
	e.add("meta", func(a *netlink.AttributeEncoder) {
		a.Uint32(unix.NFTA_META_KEY, key)
		a.Uint32(unix.NFTA_META_DREG, unix.NFT_REG_1)
	})
}

// network loads bytes from the network header on.
func (e *expressions) network(offset, length uint32) {
	e.add("payload", func(a *netlink.AttributeEncoder) {
		a.Uint32(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1)
		a.Uint32(unix.NFTA_PAYLOAD_BASE, unix.NFT_PAYLOAD_NETWORK_HEADER)
		a.Uint32(unix.NFTA_PAYLOAD_OFFSET, offset)
		a.Uint32(unix.NFTA_PAYLOAD_LEN, length)
	})
}

// differs ends the rule if what is loaded is this value.
func (e *expressions) differs(value []byte) {
	e.add("cmp", func(a *netlink.AttributeEncoder) {
		a.Uint32(unix.NFTA_CMP_SREG, unix.NFT_REG_1)
		a.Uint32(unix.NFTA_CMP_OP, unix.NFT_CMP_NEQ)
		a.Nested(unix.NFTA_CMP_DATA, func(a *netlink.AttributeEncoder) error {
			a.Bytes(unix.NFTA_DATA_VALUE, value)
			return nil
		})
	})
}

// lookup ends the rule if what is loaded is not in the set.
func (e *expressions) lookup(set string) {
	e.add("lookup", func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_LOOKUP_SET, set)
		a.Uint32(unix.NFTA_LOOKUP_SREG, unix.NFT_REG_1)
	})
}

// counter counts the packets that come this far.
func (e *expressions) counter() { e.add("counter", func(*netlink.AttributeEncoder) {}) }

// drop drops the packet.
func (e *expressions) drop() {
	e.add("immediate", func(a *netlink.AttributeEncoder) {
		a.Uint32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
		a.Nested(unix.NFTA_IMMEDIATE_DATA, func(a *netlink.AttributeEncoder) error {
			a.Nested(unix.NFTA_DATA_VERDICT, func(a *netlink.AttributeEncoder) error {
				a.Uint32(unix.NFTA_VERDICT_CODE, verdictDrop)
				return nil
			})
			return nil
		})
	})
}

func (e *expressions) add(name string, attributes func(*netlink.AttributeEncoder)) {
	e.list.Nested(unix.NFTA_LIST_ELEM, func(a *netlink.AttributeEncoder) error {
		a.String(unix.NFTA_EXPR_NAME, name)
		a.Nested(unix.NFTA_EXPR_DATA, func(a *netlink.AttributeEncoder) error {
			attributes(a)
			return nil
		})
		return nil
	})
}
