package takeover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/isat-project/isat/internal/instance"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// Restore puts back what a daemon that was killed has left behind in the network
// namespace of the calling thread: settings and addresses by the records in dir, and
// its entries of the neighbour table. With names it does so for these interfaces
// only. say is told each thing done. A second call finds nothing to do. The error
// wraps EBUSY while a daemon lives.
func Restore(ctx context.Context, dir string, names []string, say func(string)) error {
	// Held all the while, so that no daemon starts in between.
	lock, err := instance.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	here, err := record.Here()
	if err != nil {
		return err
	}
	store, err := record.Open(dir, here)
	if err != nil {
		return err
	}
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		return err
	}
	defer conn.Close()

	down, err := record.OpenAddresses(dir, here)
	if err != nil {
		return err
	}
	m := &Manager{conn: conn, store: store, addressRecords: down, refused: make(map[identity]bool), log: slog.New(slog.DiscardHandler)}
	if m.down, err = down.Load(); err != nil {
		return err
	}
	links, err := conn.Links()
	if err != nil {
		return err
	}
	var errs []error
	var indices []int
	for _, name := range names {
		i := slices.IndexFunc(links, func(l rtnl.Link) bool { return l.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("restoring %s: no such interface", name))
			continue
		}
		indices = append(indices, links[i].Index)
	}
	results, err := restoreSettings(ctx, store, conn, func(r record.Record) bool {
		return len(names) == 0 || slices.Contains(indices, r.Index)
	})
	for _, r := range results {
		say(r.String())
	}
	errs = append(errs, err)
	for _, index := range m.abandoned() {
		if len(names) > 0 && !slices.Contains(indices, index) {
			continue
		}
		results, err := m.restoreAddresses(index)
		for _, r := range results {
			say(r.String())
		}
		errs = append(errs, err)
	}
	for _, l := range links {
		if len(names) == 0 || slices.Contains(indices, l.Index) {
			errs = append(errs, m.deleteOwn(l.Index, nil))
		}
	}
	return errors.Join(errs...)
}
