package host_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

const crowd = 10_000

// crowdAddresses are ten thousand addresses in 10.0.0.0/8, or in networks of their
// own.
func crowdAddresses(bits int) []host.Address {
	list := make([]host.Address, crowd)
	for i := range list {
		list[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), bits)
	}
	return list
}

// TestDADCrowd: ten thousand addresses appear at once. All are verified, no more
// than 2,000 frames leave in any second, and the probes of each keep their spacing.
func TestDADCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{t: t, seg: segment.New(segment.Options{})}
		defer l.seg.Close()
		var frames []time.Time
		probes := make(map[[4]byte][]time.Time)
		l.seg.Tap(func(at time.Time, frame []byte) {
			frames = append(frames, at)
			if [4]byte(frame[14+14:]) == [4]byte{} {
				target := [4]byte(frame[14+24:])
				probes[target] = append(probes[target], at)
			}
		})
		n := l.host(macHost, "", withDAD)
		list := crowdAddresses(8)
		if err := n.ifc.SetAddresses(list); err != nil {
			t.Fatal(err)
		}
		// Each sends 3 probes and 5 announcements.
		time.Sleep(8*crowd/acd.FramesPerSecond*time.Second + 20*time.Second)
		for _, o := range n.ifc.OwnAddresses() {
			if o.State != acd.Verified {
				t.Fatalf("%v is %v", o.Address.Prefix, o.State)
			}
		}
		for i, at := range frames {
			if i >= acd.FramesPerSecond && at.Sub(frames[i-acd.FramesPerSecond]) < time.Second {
				t.Fatalf("more than %d frames in %v", acd.FramesPerSecond, at.Sub(frames[i-acd.FramesPerSecond]))
			}
		}
		if len(frames) != 8*crowd || len(probes) != crowd {
			t.Errorf("%d frames, probes of %d addresses", len(frames), len(probes))
		}
		for target, at := range probes {
			if len(at) != 3 {
				t.Fatalf("%d probes of %v", len(at), target)
			}
			within(t, fmt.Sprint(target), at[1].Sub(at[0]), 1200*ms, 1900*ms)
			within(t, fmt.Sprint(target), at[2].Sub(at[1]), 1200*ms, 1900*ms)
		}
	})
}

// TestDADCrowdLost: somebody has two thousand addresses that are in use, and leaves.
func TestDADCrowdLost(t *testing.T) {
	onLAN(t, func(l *lan) {
		list := crowdAddresses(8)[:2000]
		n := l.host(macHost, "", withDAD, func(c *host.InterfaceConfig) { c.Addresses = list })
		time.Sleep(time.Minute)
		l.forget()
		n.ifc.SetRunning(false)
		n.ifc.SetRunning(true)
		time.Sleep(time.Minute)
		if got := len(l.from(n)); got != 8*len(list) { // announced, and probed beside their use
			t.Errorf("%d frames when the link was back", got)
		}
		s := l.stranger(macPeer)
		for range 4 {
			for _, a := range list {
				ip := a.Prefix.Addr()
				p := s.fill(arp.Packet{Operation: arp.Request, SenderIP: ip, TargetIP: ip})
				n.ifc.Input(link.Ethernet{}.Append(nil, link.Header{Destination: lladdr.Broadcast(), Source: s.mac, Type: link.TypeARP}, p.AppendTo(nil)))
			}
			time.Sleep(10 * ms)
		}
		for _, o := range n.ifc.OwnAddresses() {
			if o.State != acd.Duplicate {
				t.Fatalf("%v is %v", o.Address.Prefix, o.State)
			}
		}
		if len(n.ifc.Addresses()) != 0 {
			t.Errorf("%d own addresses", len(n.ifc.Addresses()))
		}
		time.Sleep(10 * time.Minute)
		if got := len(n.ifc.Addresses()); got != len(list) {
			t.Errorf("%d own addresses after the recovery", got)
		}
	})
}

// TestDADMemory: ten thousand addresses take no more than a few megabytes.
func TestDADMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	mac := lladdr.MustParse(macHost)
	seg := segment.New(segment.Options{})
	defer seg.Close()
	h := host.New(host.Config{})
	ifc, err := h.Attach(host.InterfaceConfig{Name: "e0", Index: 1, MAC: mac, Port: seg.Port(mac), DAD: true, AnyTarget: true})
	if err != nil {
		t.Fatal(err)
	}
	list := crowdAddresses(8)
	before := heap()
	if err := ifc.SetAddresses(list); err != nil {
		t.Fatal(err)
	}
	if got := heap() - before; got > 8<<20 {
		t.Errorf("%d bytes for %d addresses", got, crowd)
	} else {
		t.Logf("%d bytes an address", got/crowd)
	}
	runtime.KeepAlive(list)
	if err := ifc.Detach(); err != nil {
		t.Error(err)
	}
}

// BenchmarkSetAddresses adds and removes one of ten thousand own addresses.
func BenchmarkSetAddresses(b *testing.B) {
	for _, dad := range []bool{false, true} {
		for _, bits := range []int{8, 32} {
			b.Run(fmt.Sprintf("dad=%v/bits=%d", dad, bits), func(b *testing.B) {
				mac := lladdr.MustParse(macHost)
				seg := segment.New(segment.Options{})
				defer seg.Close()
				h := host.New(host.Config{})
				ifc, err := h.Attach(host.InterfaceConfig{Name: "e0", Index: 1, MAC: mac, Port: seg.Port(mac), DAD: dad, Addresses: crowdAddresses(bits), AnyTarget: true})
				if err != nil {
					b.Fatal(err)
				}
				list := crowdAddresses(bits)
				for i := 0; b.Loop(); i++ {
					if err := ifc.SetAddresses(list[:crowd-i%2]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
