package takeover

import (
	"context"
	"time"
)

// keepRest is how long, for each moment that writing down took, nothing is written
// down again: a large table that changes all the time shall not keep the manager busy.
const keepRest = 10

// runChores does from time to time what nobody tells of: reading settings, trying
// again what the kernel has refused, the end of leases, and writing down what was set
// by hand.
func (m *Manager) runChores(ctx context.Context) error {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	read, keep := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		m.mu.Lock()
		if time.Since(read) >= confInterval {
			read = time.Now()
			m.reread()
			m.tryAgain()
			m.expireLeases(read)
		}
		if began := time.Now(); !began.Before(keep) {
			if err := m.keep(); err != nil {
				m.log.Error("writing down what was set by hand", "error", err)
			}
			keep = time.Now().Add(keepRest * time.Since(began))
		}
		m.mu.Unlock()
	}
}
