//go:build linux

package guard

import (
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Count is what one rule dropped since Open.
type Count struct {
	Packets uint64
	Bytes   uint64 // of ARP or IPv4, without the link header
}

// Counters are the packets that the guard dropped, on all interfaces together:
// those of the kernel's own ARP, or IPv4 ones.
type Counters struct {
	In  Count // received ones that the kernel would have acted on; not of [OpenSenders]
	Out Count // ones that the kernel would have sent; not of [OpenIP]
}

// Counters asks the kernel for the counters. The error wraps [ErrLost] if the
// table is no longer there and [net.ErrClosed] after Close.
func (g *Guard[K]) Counters() (Counters, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	counters, err := g.counters()
	if err != nil {
		return Counters{}, fmt.Errorf("reading the guard's counters: %w", err)
	}
	return counters, nil
}

func (g *Guard[K]) counters() (Counters, error) {
	if g.closed {
		return Counters{}, net.ErrClosed
	}
	rules, err := request(g.conn, g.table.family, unix.NFT_MSG_GETRULE, netlink.Dump, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_RULE_TABLE, g.table.name)
	})
	if err != nil {
		return Counters{}, err
	}
	if len(rules) == 0 {
		return Counters{}, ErrLost
	}
	var counters Counters
	for _, rule := range rules {
		chain, count, err := parseRule(rule)
		if err != nil {
			return Counters{}, err
		}
		switch chain {
		case inputChain, preroutingChain:
			counters.In = count
		case outputChain, postroutingChain:
			counters.Out = count
		}
	}
	return counters, nil
}

// parseRule returns the chain of a rule and the value of its counter.
func parseRule(m netlink.Message) (chain string, count Count, err error) {
	a, err := decode(m)
	if err != nil {
		return "", Count{}, err
	}
	for a.Next() {
		switch a.Type() {
		case unix.NFTA_RULE_CHAIN:
			chain = a.String()
		case unix.NFTA_RULE_EXPRESSIONS:
			a.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					list.Nested(func(expression *netlink.AttributeDecoder) error {
						parseCounter(expression, &count)
						return nil
					})
				}
				return nil
			})
		}
	}
	return chain, count, a.Err()
}

// parseCounter sets count if the expression is a counter. The kernel writes the
// name of an expression before its data.
func parseCounter(a *netlink.AttributeDecoder, count *Count) {
	var name string
	for a.Next() {
		switch a.Type() {
		case unix.NFTA_EXPR_NAME:
			name = a.String()
		case unix.NFTA_EXPR_DATA:
			if name != "counter" {
				continue
			}
			a.Nested(func(a *netlink.AttributeDecoder) error {
				for a.Next() {
					switch a.Type() {
					case unix.NFTA_COUNTER_PACKETS:
						count.Packets = a.Uint64()
					case unix.NFTA_COUNTER_BYTES:
						count.Bytes = a.Uint64()
					}
				}
				return nil
			})
		}
	}
}
