package arp

import "testing"

// TestOperation has the numbers of the IANA registry once more.
func TestOperation(t *testing.T) {
	for o, want := range map[Operation]string{
		1: "request", 2: "reply", 3: "reverse request", 4: "reverse reply", 8: "inverse request", 9: "inverse reply",
		0: "operation 0", 5: "operation 5", 65535: "operation 65535",
	} {
		if got := o.String(); got != want {
			t.Errorf("%d is %q, want %q", uint16(o), got, want)
		}
	}
}

// TestHardwareType has the numbers of the IANA registry once more.
func TestHardwareType(t *testing.T) {
	for h, want := range map[HardwareType]string{
		1: "ethernet", 6: "token-ring", 7: "arcnet", 15: "frame-relay", 24: "firewire", 32: "infiniband",
		0: "hardware type 0", 65535: "hardware type 65535",
	} {
		if got := h.String(); got != want {
			t.Errorf("%d is %q, want %q", uint16(h), got, want)
		}
	}
}
