package host_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// TestSendFailed: an ARP packet that the port does not take is told with the errno,
// at most max_log_per_second times a second, and a packet of somebody else's not.
func TestSendFailed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		errno syscall.Errno
	}{
		{"full", nil, syscall.ENOBUFS},
		{"down", fmt.Errorf("sending on e0: %w", syscall.ENETDOWN), syscall.ENETDOWN},
		{"no errno", errors.New("broken"), syscall.EIO},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host.New(host.Config{})
			if err := h.MIB().Set("net.link.ether.inet.max_log_per_second", "", 2); err != nil {
				t.Fatal(err)
			}
			ifc, err := h.Attach(host.InterfaceConfig{
				Name: "e0", Index: 1, MAC: lladdr.MustParse(macHost), Port: &refusingPort{err: tt.err}, Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}},
			})
			if err != nil {
				t.Fatal(err)
			}
			h.Output(packet(ip("192.0.2.255"), 1)) // a broadcast: IPv4, and refused as well
			for range 5 {
				if err := ifc.Announce(); err != nil {
					t.Fatal(err)
				}
			}
			said := (&node{Host: h}).seen(event.SendFailed)
			want := fmt.Sprintf("arp: Failed to send ARP packet on e0: %d", int(tt.errno))
			if len(said) != 2 || slices.ContainsFunc(said, func(e event.Event) bool {
				return e.Message != want || e.Severity != event.Debug || e.Interface != "e0"
			}) {
				t.Errorf("events %+v, want two: %s", said, want)
			}
			if s := ifc.Stats(); s.TxErrors != 6 || s.Suppressed != 3 {
				t.Errorf("%d transmit errors and %d lines held back, want 6 and 3", s.TxErrors, s.Suppressed)
			}
		})
	}
}

// refusingPort takes no frame.
type refusingPort struct {
	sink
	err error
}

func (p *refusingPort) WriteFrames([][]byte) (int, error) { return 0, p.err }
