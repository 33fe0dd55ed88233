package host

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// sizes are numbers of entries to measure with.
var sizes = []int{1, 65_536, 1_000_000}

// address is the i-th neighbour of newTestHost.
func address(i int) netip.Addr {
	i += 2
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// fullHost is newTestHost with n entries.
func fullHost(b *testing.B, n int) *Host {
	b.Helper()
	h, _ := newTestHost(b)
	if err := h.MIB().Set("net.link.ether.inet.max_entries", "", 1<<24); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		learnEntry(b, h, address(i))
	}
	return h
}

// order is addresses in random order, to be looked up in turn; a power of two.
func order(n int) []netip.Addr {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]netip.Addr, 1<<16)
	for i := range all {
		all[i] = address(r.IntN(n))
	}
	return all
}

// BenchmarkLookup is a random lookup that hits, by one goroutine and by one for
// each processor.
func BenchmarkLookup(b *testing.B) {
	for _, n := range sizes {
		h := fullHost(b, n)
		addrs := order(n)
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i, missed := 0, 0
			for b.Loop() {
				if _, ok := h.Lookup(addrs[i&(len(addrs)-1)]); !ok {
					missed++
				}
				i++
			}
			if missed > 0 {
				b.Errorf("%d not found", missed)
			}
		})
		b.Run(fmt.Sprintf("entries=%d/parallel", n), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(len(addrs))
				for pb.Next() {
					if _, ok := h.Lookup(addrs[i&(len(addrs)-1)]); !ok {
						b.Error("not found")
						return
					}
					i++
				}
			})
		})
	}
}

// BenchmarkLookupGoMap is what a program without isat would write: a Go map
// behind a read-write lock. It knows no networks, no gateways, no use, no age.
func BenchmarkLookupGoMap(b *testing.B) {
	for _, n := range sizes {
		var mu sync.RWMutex
		table := make(map[netip.Addr]*lladdr.Addr, n)
		for i := range n {
			mac := peerMAC
			table[address(i)] = &mac
		}
		addrs := order(n)
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			i, missed := 0, 0
			for b.Loop() {
				mu.RLock()
				mac, ok := table[addrs[i&(len(addrs)-1)]]
				mu.RUnlock()
				if !ok || !mac.IsValid() {
					missed++
				}
				i++
			}
			if missed > 0 {
				b.Errorf("%d not found", missed)
			}
		})
		b.Run(fmt.Sprintf("entries=%d/parallel", n), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(len(addrs))
				for pb.Next() {
					mu.RLock()
					mac, ok := table[addrs[i&(len(addrs)-1)]]
					mu.RUnlock()
					if !ok || !mac.IsValid() {
						b.Error("not found")
						return
					}
					i++
				}
			})
		})
	}
}

// BenchmarkOutput sends a packet of 64 bytes to a neighbour that is known.
func BenchmarkOutput(b *testing.B) {
	h := fullHost(b, 65_536)
	p := ipv4(address(77))
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Output(p); err != nil {
			b.Fatal(err)
		}
	}
}

// benchInput hands one frame to a host of n entries again and again.
func benchInput(b *testing.B, n int, frame []byte) {
	h := fullHost(b, n)
	ifc, _ := h.Interface("e0")
	b.ReportAllocs()
	for b.Loop() {
		ifc.Input(frame)
	}
}

// BenchmarkInput is a request for us from a known host: its entry is refreshed
// and the reply is handed to the port.
func BenchmarkInput(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			benchInput(b, n, arpFrame(arp.Request, "10.0.0.2", "10.0.0.1"))
		})
	}
}

// BenchmarkInputRefresh is a reply that says what is known.
func BenchmarkInputRefresh(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			benchInput(b, n, arpFrame(arp.Reply, "10.0.0.2", "10.0.0.1"))
		})
	}
}

// BenchmarkReply is a probe for our address: a reply without an entry.
func BenchmarkReply(b *testing.B) {
	benchInput(b, 1, arpFrame(arp.Request, "0.0.0.0", "10.0.0.1"))
}

// BenchmarkInputOther is a request for somebody else from somebody unknown: most
// of what a busy segment has.
func BenchmarkInputOther(b *testing.B) {
	benchInput(b, 1, arpFrame(arp.Request, "10.0.0.99", "10.0.0.98"))
}

// BenchmarkInputBatch is BenchmarkInput with 64 frames under one lock, as a
// reader hands them over under load.
func BenchmarkInputBatch(b *testing.B) {
	h := fullHost(b, 65_536)
	ifc, _ := h.Interface("e0")
	frames := make([][]byte, readBatch)
	for i := range frames {
		frames[i] = arpFrame(arp.Request, address(i).String(), "10.0.0.1")
	}
	b.ReportAllocs()
	for b.Loop() {
		h.input(ifc, frames)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/readBatch, "ns/frame")
}

// BenchmarkLearn makes entries: with room, and by eviction.
func BenchmarkLearn(b *testing.B) {
	for _, evict := range []bool{false, true} {
		b.Run(fmt.Sprintf("evict=%v", evict), func(b *testing.B) {
			h, ifc := newTestHost(b)
			room := int64(1 << 24)
			if evict {
				room = 65_536
			}
			if err := h.MIB().Set("net.link.ether.inet.max_entries", "", room); err != nil {
				b.Fatal(err)
			}
			frame := arpFrame(arp.Request, "10.0.0.2", "10.0.0.1")
			if evict {
				for i := range 65_536 {
					learnEntry(b, h, address(i))
				}
			}
			i := 65_536
			b.ReportAllocs()
			for b.Loop() {
				a := address(i % (1<<24 - 10)).As4()
				copy(frame[28:32], a[:])
				ifc.Input(frame)
				i++
			}
		})
	}
}

// BenchmarkMemory says what an entry costs, the routing table, timers and indexes
// included and the events not.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes[1:] {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			h, _ := newTestHost(b)
			if err := h.MIB().Set("net.link.ether.inet.max_entries", "", 1<<24); err != nil {
				b.Fatal(err)
			}
			for range 70_000 { // fill the ring of events
				h.Record(event.Event{Type: event.Announced})
			}
			for b.Loop() {
				before := heap()
				for i := range n {
					learnEntry(b, h, address(i))
				}
				b.ReportMetric(float64(heap()-before)/float64(n), "B/entry")
				h.Flush("")
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
