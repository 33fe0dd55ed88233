package host_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// data returns the last byte of the packets that came in.
func (n *node) data() (all []byte) {
	synctest.Wait()
	for _, p := range n.got {
		all = append(all, p[20])
	}
	return all
}

// TestOutputHolds has the queue of packets and its order.
func TestOutputHolds(t *testing.T) {
	for _, tt := range []struct {
		maxhold int64
		sent    byte
		want    []byte
	}{
		{1, 1, []byte{1}}, {1, 5, []byte{5}}, {4, 3, []byte{1, 2, 3}}, {4, 6, []byte{3, 4, 5, 6}},
	} {
		t.Run(fmt.Sprintf("maxhold %d, %d packets", tt.maxhold, tt.sent), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				a.set(t, "maxhold", tt.maxhold)
				for i := byte(1); i <= tt.sent; i++ {
					if err := a.Output(packet(ip("192.0.2.2"), i)); err != nil {
						t.Errorf("packet %d: %v", i, err)
					}
				}
				if got := a.entry(t, "192.0.2.2"); got.Held != len(tt.want) {
					t.Errorf("%d packets held, want %d", got.Held, len(tt.want))
				}
				b := l.host(macPeer, "192.0.2.2/24")
				time.Sleep(time.Second)
				if err := a.Output(packet(b.ip, 99)); err != nil { // makes the next request
					t.Error(err)
				}
				want := append(slices.Clone(tt.want), 99)
				if len(want) > int(tt.maxhold) {
					want = want[len(want)-int(tt.maxhold):]
				}
				if got := b.data(); !slices.Equal(got, want) {
					t.Errorf("packets %v arrived, want %v", got, want)
				}
				if got, want := a.Stats().Dropped, uint64(int(tt.sent)+1-len(want)); got != want {
					t.Errorf("%d counted as dropped, want %d", got, want)
				}
			})
		})
	}
}

// TestOutputErrors: one request a second while there are packets, an error for
// each packet after the fifth, and the packet that had an error goes out when the
// answer comes late (facts/freebsd-arp.md 2.2).
func TestOutputErrors(t *testing.T) {
	for _, gateway := range []bool{false, true} {
		t.Run(fmt.Sprintf("gateway %v", gateway), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				to, want := ip("192.0.2.9"), syscall.EHOSTDOWN
				if gateway {
					if err := a.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.9")}); err != nil {
						t.Fatal(err)
					}
					to, want = ip("203.0.113.5"), syscall.EHOSTUNREACH
				}
				var failed []int
				for i := range 100 { // ten a second
					err := a.Output(packet(to, byte(i)))
					if err != nil && !errors.Is(err, want) {
						t.Fatalf("packet %d: %v, want %v", i, err, want)
					}
					if err != nil {
						failed = append(failed, i)
					}
					time.Sleep(100 * time.Millisecond)
				}
				// The fifth request goes out with packet 40.
				if len(failed) != 59 || failed[0] != 41 {
					t.Errorf("%d errors, the first %d, want 59 from packet 41 on", len(failed), failed[0])
				}
				requests := l.requests(ip("192.0.2.9"))
				if len(requests) != 10 {
					t.Errorf("%d requests in 10 s, want one a second and no end", len(requests))
				}
				for i := 1; i < len(requests); i++ {
					if gap := requests[i].Sub(requests[i-1]); gap < time.Second {
						t.Errorf("requests %v apart", gap)
					}
				}
				b := l.stranger(macThird)
				l.forget()
				b.answer(a, "192.0.2.9")
				frames := make([][]byte, 64)
				n, err := b.port.ReadFrames(frames)
				if err != nil || n == 0 || frames[n-1][14+20] != 99 {
					t.Errorf("the last packet did not go out: %d frames, %v", n, err)
				}
				if err := a.Output(packet(to, 1)); err != nil {
					t.Errorf("after the answer: %v", err)
				}
			})
		})
	}
}

// TestOutputRefused has what is an error at once.
func TestOutputRefused(t *testing.T) {
	silent := packet(ip("192.0.2.9"), 1)
	for _, tt := range []struct {
		name   string
		change func(*host.InterfaceConfig)
		packet []byte
		want   error
	}{
		{"no packet", nil, nil, syscall.EINVAL},
		{"IPv6", nil, append([]byte{0x60}, make([]byte, 39)...), syscall.EINVAL},
		{"no route", nil, packet(ip("203.0.113.1"), 1), syscall.ENETUNREACH},
		{"0.0.0.0", nil, packet(ip("0.0.0.0"), 1), syscall.ENETUNREACH},
		{"link down", func(c *host.InterfaceConfig) { c.Down = true }, silent, syscall.ENETDOWN},
		{"link down, broadcast", func(c *host.InterfaceConfig) { c.Down = true }, packet(ip("192.0.2.255"), 1), syscall.ENETDOWN},
		{"only watching, broadcast", func(c *host.InterfaceConfig) { c.Mode = host.Watch }, packet(ip("192.0.2.255"), 1), syscall.ENETDOWN},
		{"static ARP", func(c *host.InterfaceConfig) { c.Mode = host.Static }, silent, syscall.EINVAL},
		{"no ARP", func(c *host.InterfaceConfig) { c.Mode = host.Off }, silent, syscall.EINVAL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				change := tt.change
				if change == nil {
					change = func(*host.InterfaceConfig) {}
				}
				a := l.host(macHost, "192.0.2.1/24", change)
				if err := a.Output(tt.packet); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				synctest.Wait()
				if got := a.port.Stats().Sent; got != 0 {
					t.Errorf("%d frames sent", got)
				}
			})
		})
	}
}

// TestOutputGroups: broadcast and multicast go to all on the link, gateway or
// not (facts/freebsd-arp.md 2.2 step 1).
func TestOutputGroups(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		if err := a.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.9")}); err != nil {
			t.Fatal(err)
		}
		for to, want := range map[string]string{
			"192.0.2.255":     "ff:ff:ff:ff:ff:ff",
			"255.255.255.255": "ff:ff:ff:ff:ff:ff",
			"224.0.0.251":     "01:00:5e:00:00:fb",
			"239.255.255.250": "01:00:5e:7f:ff:fa",
		} {
			if mac, err := a.Resolve(l.t.Context(), ip(to)); err != nil || mac.String() != want {
				t.Errorf("resolved %s: %v, %v, want %s", to, mac, err, want)
			}
			s := l.stranger(macPeer)
			if err := a.Output(packet(ip(to), 7)); err != nil {
				t.Errorf("%s: %v", to, err)
			}
			frames := make([][]byte, 4)
			if n, err := s.port.ReadFrames(frames); n != 1 || err != nil || lladdr.From6([6]byte(frames[0][:6])).String() != want {
				t.Errorf("%s: %d frames, %v, not to %s", to, n, err, want)
			}
			s.port.Close()
		}
	})
}

// TestOutputSelf: an own address is delivered, and goes on the wire only where
// useloopback is 0.
func TestOutputSelf(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("100.64.7.7/32")})
		})
		if err := a.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.9")}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Set(host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Origin: host.Administrator}); err != nil {
			t.Fatal(err)
		}
		for _, own := range []string{"192.0.2.1", "100.64.7.7"} {
			if err := a.Output(packet(ip(own), 1)); err != nil {
				t.Error(err)
			}
			if mac, err := a.Resolve(l.t.Context(), ip(own)); err != nil || mac != a.mac {
				t.Errorf("resolved %v, %v", mac, err)
			}
		}
		if got := a.data(); len(got) != 2 || a.port.Stats().Sent != 0 {
			t.Errorf("%d packets delivered, %d sent, want 2 and none", len(got), a.port.Stats().Sent)
		}
		a.set(t, "useloopback", 0)
		if err := a.Output(packet(a.ip, 2)); err != nil {
			t.Error(err)
		}
		if got := a.port.Stats().Sent; got != 1 {
			t.Errorf("%d frames sent without useloopback, want 1", got)
		}
	})
}

// TestOutputPortFull counts what the port does not take.
func TestOutputPortFull(t *testing.T) {
	h := host.New(host.Config{})
	ifc, err := h.Attach(host.InterfaceConfig{
		Name: "e0", Index: 1, MAC: lladdr.MustParse(macHost), Port: new(fullPort), Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Set(host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Origin: host.Administrator}); err != nil {
		t.Fatal(err)
	}
	if err := h.Output(packet(ip("192.0.2.9"), 1)); !errors.Is(err, syscall.ENOBUFS) {
		t.Errorf("%v, want ENOBUFS", err)
	}
	if err := ifc.Announce(); err != nil {
		t.Error(err)
	}
	if got := ifc.Stats().TxErrors; got != 2 {
		t.Errorf("%d transmit errors, want 2", got)
	}
}

// fullPort takes no frame.
type fullPort struct{ sink }

func (*fullPort) WriteFrames([][]byte) (int, error) { return 0, nil }
