package takeover

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

// TestGuardWhileBusy: whoever keeps the manager busy for longer than the guard lasts,
// such as a large table that is written down, does not end the guard.
func TestGuardWhileBusy(t *testing.T) {
	testns.Program(t, "nft")
	r := newRig(t, 0)
	r.m.mu.Lock()
	time.Sleep(guard.Timeout + 2*refreshInterval)
	r.m.mu.Unlock()
	out, err := exec.Command("nft", "list", "set", "arp", "isat", "guarded").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"e0"`) {
		t.Errorf("the guarded interfaces are %s, %v", out, err)
	}
}
