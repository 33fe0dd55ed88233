package host_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// FuzzDAD gives arbitrary frames, four times each, to a host with an address in use
// and one that is probed: neither is given up for a frame that does not name it, and
// the one that is not verified is never a sender.
func FuzzDAD(f *testing.F) {
	header := link.Header{Destination: lladdr.Broadcast(), Source: lladdr.MustParse(macPeer), Type: link.TypeARP}
	for _, tt := range verdictCases {
		p := tt.packet
		if p.Operation == 0 {
			continue
		}
		p.HardwareType, p.ProtocolType = arp.Ethernet, arp.ProtocolIPv4
		if !p.SenderHW.IsValid() {
			p.SenderHW = header.Source
		}
		f.Add(link.Ethernet{}.Append(nil, header, p.AppendTo(nil)))
		if p.SenderIP == ip(candidate) {
			p.SenderIP = ip("192.0.2.1")
			f.Add(link.Ethernet{}.Append(nil, header, p.AppendTo(nil)))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		port := new(sink)
		h := host.New(host.Config{})
		ifc, err := h.Attach(host.InterfaceConfig{
			Name: "e0", Index: 1, MAC: lladdr.MustParse(macHost), Port: port, DAD: true,
			Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := ifc.SetAddresses(append(ifc.Addresses(), host.Address{Prefix: prefix(candidate + "/24")})); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 4 {
			ifc.Input(frame)
		}
		for _, o := range ifc.OwnAddresses() {
			ip := o.Address.Prefix.Addr().As4()
			if o.State == acd.Duplicate && !bytes.Contains(frame, ip[:]) {
				t.Errorf("%v was given up for a frame that does not have it", o.Address.Prefix)
			}
			if (o.State == acd.Duplicate) != o.Owner.IsValid() || o.Owner == ifc.MAC() {
				t.Errorf("%+v", o)
			}
		}
		for _, sent := range port.frames {
			_, payload, err := link.Ethernet{}.Parse(sent)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := arp.Parse(payload); err != nil || p.SenderIP == ip(candidate) && time.Since(start) < time.Second {
				t.Errorf("it sent %v, %v", p, err)
			}
		}
	})
}
