//go:build linux

package record

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// Entry is an administrative ARP entry, made by arp -s or its like while the
// daemon ran. (Those of the configuration are not kept here: the configuration
// keeps them.)
type Entry struct {
	Interface   string      `json:"interface"`
	IP          netip.Addr  `json:"ip"`
	MAC         lladdr.Addr `json:"mac"` // none: that of the interface, of a published entry
	Published   bool        `json:"published,omitzero"`
	PublishOnly bool        `json:"publish_only,omitzero"`
	Action      string      `json:"action,omitzero"` // "", "reject" or "blackhole"
	Authority   bool        `json:"authority,omitzero"`
	Probed      bool        `json:"probed,omitzero"`  // before it was published
	Expires     time.Time   `json:"expires,omitzero"` // of arp -s ... temp
}

// Entries keeps the administrative entries of one runtime directory until the boot
// ends, or the network namespace does. Safe for concurrent use.
type Entries struct {
	file file[scopedEntry]
	here Scope
}

// scopedEntry is an entry in the file.
type scopedEntry struct {
	Scope
	Entry
}

// OpenEntries returns the entries in a directory, which is made if need be, for
// the scope that the calling thread is in (see [Here]).
func OpenEntries(dir string, here Scope) (*Entries, error) {
	f, err := open[scopedEntry](dir, "entries.json")
	if err != nil {
		return nil, err
	}
	return &Entries{f, here}, nil
}

// Load returns the entries that were saved last in this boot and network
// namespace, in that order.
func (e *Entries) Load() ([]Entry, error) {
	list, err := loadHere(e.file, e.here)
	if err != nil {
		return nil, fmt.Errorf("reading the administrative entries: %w", err)
	}
	var entries []Entry
	for _, s := range list {
		entries = append(entries, s.Entry)
	}
	return entries, nil
}

// Save replaces the entries of this network namespace. When it returns, they are
// on the disk. Entries of other namespaces stay; those of another boot are dropped.
func (e *Entries) Save(entries []Entry) error {
	var list []scopedEntry
	for _, entry := range entries {
		list = append(list, scopedEntry{e.here, entry})
	}
	if err := saveHere(e.file, e.here, list); err != nil {
		return fmt.Errorf("saving the administrative entries: %w", err)
	}
	return nil
}
