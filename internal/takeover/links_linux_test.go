package takeover

import (
	"errors"
	"syscall"
	"testing"

	"github.com/isat-project/isat/internal/guard"
)

// TestHandedBackStatus switches ARP off on an interface: the status says why it was
// handed back, until it can be taken over again or is gone.
func TestHandedBackStatus(t *testing.T) {
	r := newRig(t, 0)
	status := func() Status {
		t.Helper()
		all := r.m.Status()
		if len(all) != 1 || all[0].Name != "e0" {
			t.Fatalf("the status is %+v, want that of e0", all)
		}
		return all[0]
	}
	handedBack := func() {
		t.Helper()
		ip(t, "link set e0 arp off")
		eventually(t, "e0 is handed back", func() bool { return status().Host == nil })
		if err := status().Err; !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("the reason is %v, want that ARP is switched off", err)
		}
	}
	handedBack()
	ip(t, "link set e0 arp on")
	eventually(t, "e0 is taken over again", func() bool { return status().Host != nil })
	var taken *guard.TakenError
	if _, err := guard.Open(); !errors.As(err, &taken) {
		t.Errorf("making the guard's table where the test is: %v, want that isat has made it", err)
	}
	if err := status().Err; err != nil {
		t.Errorf("after it was taken over the reason is %v", err)
	}
	handedBack()
	ip(t, "link del e0")
	eventually(t, "e0 is absent", func() bool { return status().Err == nil })
}
