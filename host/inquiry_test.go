package host

import (
	"context"
	"errors"
	"net/netip"
	"testing"
)

// TestInquiriesEnd: a call of Probe leaves nothing behind that packets are shown to,
// however it ends and in whatever order.
func TestInquiriesEnd(t *testing.T) {
	_, ifc := newTestHost(t)
	ips := []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")}
	var calls []*probing
	for range 4 {
		call, err := ifc.startProbing(ips, false)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	for _, i := range []int{2, 0, 3, 1} {
		ifc.endProbing(calls[i])
	}
	if len(ifc.inquiries) != 0 {
		t.Errorf("%d addresses are asked for", len(ifc.inquiries))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ifc.Probe(ctx, ips, false, func(p Probed) { t.Errorf("%+v", p) }); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that is cancelled: %v", err)
	}
	if len(ifc.inquiries) != 0 {
		t.Errorf("%d addresses are asked for after it", len(ifc.inquiries))
	}
}
