//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// NeighParam is a key of net.ipv4.neigh.INTERFACE, numbered as NDTPA_* of
// linux/neighbour.h. Times are in milliseconds here, whatever their unit is in
// /proc/sys; the kernel rounds them to its clock ticks, 1 to 10 ms.
type NeighParam uint8

// The parameters, with the name of arp(7) and Documentation/networking/ip-sysctl.rst.
const (
	ParamBaseReachableTime NeighParam = 4  // ms, base_reachable_time_ms
	ParamRetransTime       NeighParam = 5  // ms, retrans_time_ms
	ParamGCStaleTime       NeighParam = 6  // ms, gc_stale_time
	ParamDelayProbeTime    NeighParam = 7  // ms, delay_first_probe_time
	ParamQueueLen          NeighParam = 8  // packets that wait for an address, unres_qlen; derived from ParamQueueLenBytes
	ParamAppProbes         NeighParam = 9  // calls of a program, app_solicit
	ParamUcastProbes       NeighParam = 10 // requests to the known MAC, ucast_solicit
	ParamMcastProbes       NeighParam = 11 // broadcast requests, mcast_solicit
	ParamProxyDelay        NeighParam = 13 // ms, proxy_delay
	ParamProxyQueueLen     NeighParam = 14 // packets, proxy_qlen
	ParamLockTime          NeighParam = 15 // ms, locktime
	ParamQueueLenBytes     NeighParam = 16 // bytes that wait for an address, unres_qlen_bytes
	ParamMcastReprobes     NeighParam = 17 // broadcast requests once ParamUcastProbes are used up, mcast_resolicit

	paramIfindex NeighParam = 1
	paramEnd     NeighParam = 18 // one more than the last here
)

// String returns the name of the file in /proc/sys/net/ipv4/neigh/INTERFACE.
func (p NeighParam) String() string {
	if name := p.name(); name != "" {
		return name
	}
	return fmt.Sprintf("neighbour parameter %d", uint8(p))
}

// name returns "" for a parameter without a constant here.
func (p NeighParam) name() string {
	switch p {
	case ParamBaseReachableTime:
		return "base_reachable_time_ms"
	case ParamRetransTime:
		return "retrans_time_ms"
	case ParamGCStaleTime:
		return "gc_stale_time"
	case ParamDelayProbeTime:
		return "delay_first_probe_time"
	case ParamQueueLen:
		return "unres_qlen"
	case ParamAppProbes:
		return "app_solicit"
	case ParamUcastProbes:
		return "ucast_solicit"
	case ParamMcastProbes:
		return "mcast_solicit"
	case ParamProxyDelay:
		return "proxy_delay"
	case ParamProxyQueueLen:
		return "proxy_qlen"
	case ParamLockTime:
		return "locktime"
	case ParamQueueLenBytes:
		return "unres_qlen_bytes"
	case ParamMcastReprobes:
		return "mcast_resolicit"
	}
	return ""
}

// time reports whether the parameter is 64 bits of milliseconds, as the comments
// in linux/neighbour.h say, or 32 bits of something else.
func (p NeighParam) time() bool {
	switch p {
	case ParamBaseReachableTime, ParamRetransTime, ParamGCStaleTime, ParamDelayProbeTime, ParamProxyDelay, ParamLockTime:
		return true
	}
	return false
}

// NeighParams has the values of an interface by parameter.
type NeighParams [paramEnd]uint64

// arpTable is the name of IPv4's neighbour table (arp_tbl in net/ipv4/arp.c).
const arpTable = "arp_cache"

const (
	sizeofNdtmsg = 4 // struct ndtmsg of linux/neighbour.h
	ndtaName     = 1 // NDTA_NAME
	ndtaParms    = 6 // NDTA_PARMS
)

// parseNeighParams reads a message of RTM_GETNEIGHTBL. The index is 0 in the
// table's defaults. It returns false if the message is not about IPv4.
func parseNeighParams(payload []byte, p *NeighParams) (index int, ok bool) {
	if len(payload) < sizeofNdtmsg || payload[0] != unix.AF_INET {
		return 0, false
	}
	*p = NeighParams{}
	for a := attributesAfter(payload, sizeofNdtmsg); a.next(); {
		if a.typ != ndtaParms {
			continue
		}
		ok = true
		for v := a.nested(); v.next(); {
			switch k := NeighParam(v.typ); {
			case v.typ >= uint16(paramEnd):
			case k == paramIfindex:
				index = int(v.uint32())
			case k.name() == "": // such as NDTPA_REACHABLE_TIME, which the kernel draws anew
			case k.time():
				p[k] = v.uint64()
			default:
				p[k] = uint64(v.uint32())
			}
		}
	}
	return index, ok
}

// NeighParams returns the parameters of the interface; ENODEV if it has none,
// which is so without IPv4.
func (c *Conn) NeighParams(index int) (NeighParams, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETNEIGHTBL, 0) // the kernel has no request for one interface
	m.ndtmsg()
	var found, p NeighParams
	ok := false
	err := c.dump(unix.RTM_NEWNEIGHTBL, func() { ok = false }, func(payload []byte) {
		if i, is := parseNeighParams(payload, &p); is && i == index {
			found, ok = p, true
		}
	})
	if err == nil && !ok {
		err = unix.ENODEV
	}
	if err != nil {
		return NeighParams{}, fmt.Errorf("reading neighbour parameters of link %d: %w", index, err)
	}
	return found, nil
}

// SetNeighParams sets parameters of the interface. Unlike writing /proc/sys it
// works where that is mounted read-only. The kernel sends no notification.
func (c *Conn) SetNeighParams(index int, values map[NeighParam]uint64) error {
	if len(values) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_SETNEIGHTBL, 0)
	m.ndtmsg()
	m.string(ndtaName, arpTable)
	parms := m.nest(ndtaParms)
	m.uint32(uint16(paramIfindex), uint32(index))
	for p, v := range values {
		if p.time() {
			m.uint64(uint16(p), v)
		} else {
			m.uint32(uint16(p), uint32(min(v, 1<<31-1))) // int in the kernel
		}
	}
	m.endNest(parms)
	if err := c.do(nil); err != nil {
		return fmt.Errorf("setting neighbour parameters of link %d: %w", index, err)
	}
	return nil
}

// ndtmsg appends struct ndtmsg for IPv4.
func (m *builder) ndtmsg() {
	m.b = append(m.b, unix.AF_INET, 0)
	m.b = binary.NativeEndian.AppendUint16(m.b, 0)
}
