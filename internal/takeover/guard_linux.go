package takeover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/guard"
)

// refreshInterval is how often the guard is refreshed: thrice in its timeout
// (DESIGN section 4).
const refreshInterval = guard.Timeout / 3

// runGuard keeps the guard up while the host makes progress. If the host hangs
// the guard runs out, and the kernel does ARP again; when the host is back, so is
// the guard, and everything that happened meanwhile is read.
func (m *Manager) runGuard(ctx context.Context) error {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	last, lapsed := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		ping, cancel := context.WithTimeout(ctx, refreshInterval)
		err := m.host.Ping(ping)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !lapsed {
				m.log.Error("the ARP engine makes no progress; the kernel's ARP is back until it does", "error", err)
			}
			lapsed = true
			continue
		}
		if err := errors.Join(m.guard.refresh(), m.ipGuard.refresh(), m.unverified.silence.refresh()); err != nil {
			return err
		}
		if lapsed || time.Since(last) > guard.Timeout {
			m.host.Record(event.Event{Type: event.TakenOver, Severity: event.Warning,
				Message: fmt.Sprintf("isat: the kernel did ARP for %v while isat was stopped; taken over again", time.Since(last).Round(time.Second))})
			if err := m.resyncAll(); err != nil {
				m.log.Error("reading everything again after a stop", "error", err)
			}
		}
		last, lapsed = time.Now(), false
	}
}
