package takeover

import (
	"context"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

// TestRestoreNeighbours deletes the neighbours that a killed daemon has left, and no
// others.
func TestRestoreNeighbours(t *testing.T) {
	testns.Enter(t)
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 up")
	ip(t, "neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev v0 nud permanent protocol 82")
	ip(t, "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0 nud permanent")
	for range 2 { // the second time there is nothing to do
		if err := Restore(context.Background(), t.TempDir(), nil, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if ip(t, "neigh show 192.0.2.8") != "" || ip(t, "neigh show 192.0.2.9") == "" {
			t.Errorf("neighbours afterwards:\n%s", ip(t, "neigh show"))
		}
	}
}
