package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// pageSize is how many entries [Client.Entries] asks for at once: about five
// megabytes of JSON. Each page costs the daemon a look at its whole table, so that
// small pages of a large table are slow.
const pageSize = 1 << 14

// Entries returns the entries that f selects, ordered by address and then by
// interface. It reads page after page until f.Limit, or to the end if that is 0.
// Entries that come and go meanwhile may be missing, none is there twice.
func (c *Client) Entries(ctx context.Context, f EntryFilter) ([]Entry, error) {
	all := []Entry{}
	for {
		limit := pageSize
		if f.Limit > 0 {
			limit = min(limit, f.Limit-len(all))
		}
		var page Entries
		_, err := c.call(ctx, http.MethodGet, "/v1/arp", query("interface", f.Interface, "ip", addrText(f.IP),
			"limit", strconv.Itoa(limit), "after", addrText(f.After)), nil, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if len(page.Entries) < limit || f.Limit > 0 && len(all) >= f.Limit {
			return all, nil
		}
		next := page.Entries[len(page.Entries)-1].IP
		if f.After.IsValid() && next.Compare(f.After) <= 0 {
			return nil, errors.New("listing entries: the daemon sent one page twice")
		}
		f.After = next
	}
}

// SetEntry makes an entry or changes the one of its address and interface. It
// returns the entry as it is then, and whether it is new.
func (c *Client) SetEntry(ctx context.Context, e SetEntry) (entry Entry, created bool, err error) {
	status, err := c.call(ctx, http.MethodPut, "/v1/arp", nil, e, &entry)
	return entry, status == http.StatusCreated, err
}

// DeleteEntry deletes the entry of ip on the interface named, on "" by route,
// and returns what it deleted. With pubOnly it deletes a published-only entry
// and nothing else. syscall.ENOENT: there is none.
func (c *Client) DeleteEntry(ctx context.Context, ip netip.Addr, iface string, pubOnly bool) ([]Entry, error) {
	pub := ""
	if pubOnly {
		pub = "only"
	}
	var deleted Entries
	_, err := c.call(ctx, http.MethodDelete, "/v1/arp/"+ip.String(), query("interface", iface, "pub", pub), nil, &deleted)
	return deleted.Entries, err
}

// DeleteEntries deletes every entry of the interface named, on "" of all, but
// those of own addresses, and returns what it deleted.
func (c *Client) DeleteEntries(ctx context.Context, iface string) ([]Entry, error) {
	var deleted Entries
	_, err := c.call(ctx, http.MethodDelete, "/v1/arp", query("interface", iface), nil, &deleted)
	return deleted.Entries, err
}

// Resolve returns the entry of ip on the interface named, on "" by route, and
// asks the wire if the cache does not have it. A timeout of 0 waits until
// maxtries requests are unanswered. syscall.EHOSTDOWN: the host does not answer;
// syscall.EHOSTUNREACH: its gateway does not.
func (c *Client) Resolve(ctx context.Context, ip netip.Addr, iface string, timeout time.Duration) (Entry, error) {
	var e Entry
	_, err := c.call(ctx, http.MethodPost, "/v1/resolve", nil,
		ResolveRequest{IP: ip, Interface: iface, Timeout: Seconds(timeout)}, &e)
	return e, err
}

// Announce sends an announcement for each of the interface's own or published
// addresses now.
func (c *Client) Announce(ctx context.Context, iface string, ips ...netip.Addr) error {
	_, err := c.call(ctx, http.MethodPost, "/v1/announce", nil, AnnounceRequest{Interface: iface, IPs: ips}, nil)
	return err
}
