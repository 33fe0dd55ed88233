package httpapi

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
)

// getEntries sends entries one by one, so that a large table is never there as
// JSON.
func (s *Server) getEntries(w http.ResponseWriter, r *http.Request) error {
	f, err := entryFilter(r)
	if err != nil {
		return err
	}
	entries, err := s.backend.Entries(r.Context(), f)
	if err != nil {
		return err
	}
	entries = page(entries, f)
	startJSON(w, -1)
	b := bufio.NewWriterSize(w, streamBuffer)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	b.WriteString(`{"entries":[`)
	for i := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(&entries[i]); err != nil {
			// The status is sent. The caller must not take this for the whole.
			s.log.Debug("API: listing entries ended early", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
	b.WriteString("]}\n")
	b.Flush() // an error means the caller is gone
	return nil
}

func entryFilter(r *http.Request) (f api.EntryFilter, err error) {
	q, err := parameters(r, "interface", "ip", "limit", "after")
	if err != nil {
		return f, err
	}
	f.Interface = q.Get("interface")
	if q.Has("ip") {
		if f.IP, err = parseIP("ip", q.Get("ip")); err != nil {
			return f, err
		}
	}
	if q.Has("after") {
		if f.After, err = parseIP("after", q.Get("after")); err != nil {
			return f, err
		}
	}
	f.Limit, err = parseLimit(q.Get("limit"))
	return f, err
}

// page orders entries and returns those of the page that f asks for, without
// parting those of one address. See api.EntryFilter.
func page(entries []api.Entry, f api.EntryFilter) []api.Entry {
	order := func(a, b api.Entry) int {
		return cmp.Or(a.IP.Compare(b.IP), cmp.Compare(a.Interface, b.Interface), cmp.Compare(only(a), only(b)))
	}
	if !slices.IsSortedFunc(entries, order) {
		entries = slices.Clone(entries) // they are the backend's
		slices.SortFunc(entries, order)
	}
	if f.After.IsValid() {
		first, _ := slices.BinarySearchFunc(entries, f.After, func(e api.Entry, after netip.Addr) int {
			if e.IP.Compare(after) <= 0 {
				return -1
			}
			return 1
		})
		entries = entries[first:]
	}
	if f.Limit > 0 && f.Limit < len(entries) {
		end := f.Limit
		for end < len(entries) && entries[end].IP == entries[end-1].IP {
			end++
		}
		entries = entries[:end]
	}
	return entries
}

// only is 1 for an entry that is published only, which comes after the ordinary one.
func only(e api.Entry) int {
	if e.PublishOnly {
		return 1
	}
	return 0
}

func (s *Server) putEntry(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	var e api.SetEntry
	err := decodeBody(w, r,
		field{"ip", &e.IP, wantIP, true},
		field{"mac", &e.MAC, wantMACOrAuto, true},
		field{"interface", &e.Interface, wantName, false},
		field{"temp", &e.Temp, wantBool, false},
		field{"pub", &e.Pub, wantPub, false},
		field{"action", &e.Action, wantAction, false})
	if err != nil {
		return err
	}
	if err := checkIP("ip", e.IP); err != nil {
		return err
	}
	switch {
	case e.MAC != api.EtherAuto:
		if e.MAC, err = canonicalMAC("mac", e.MAC); err != nil {
			return err
		}
	case e.Pub == api.PublishNo:
		return fmt.Errorf(`mac: "auto" only with pub: %w`, syscall.EINVAL)
	}
	switch e.Action {
	case api.ActionNone, api.ActionReject, api.ActionBlackhole:
	default:
		return fmt.Errorf("action: want %s, not %q: %w", wantAction, shorten(string(e.Action)), syscall.EINVAL)
	}
	entry, created, err := s.backend.SetEntry(r.Context(), e)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.writeJSON(w, status, entry)
}

func (s *Server) deleteEntry(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface", "pub")
	if err != nil {
		return err
	}
	ip, err := parseIP("path", r.PathValue("ip"))
	if err != nil {
		return err
	}
	if q.Has("pub") && q.Get("pub") != "only" {
		return fmt.Errorf(`pub: want "only", not %q: %w`, shorten(q.Get("pub")), syscall.EINVAL)
	}
	deleted, err := s.backend.DeleteEntry(r.Context(), ip, q.Get("interface"), q.Has("pub"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, api.Entries{Entries: list(deleted)})
}

func (s *Server) deleteEntries(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface")
	if err != nil {
		return err
	}
	if q.Has("interface") && q.Get("interface") == "" {
		// A script's empty variable must not delete the whole table.
		return fmt.Errorf("interface: empty; leave it out for all: %w", syscall.EINVAL)
	}
	deleted, err := s.backend.DeleteEntries(r.Context(), q.Get("interface"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, api.Entries{Entries: list(deleted)})
}

// maxResolve is the longest timeout of a resolution: beyond the 255 s that
// maxtries can make it.
const maxResolve = time.Hour

func (s *Server) postResolve(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	var q api.ResolveRequest
	err := decodeBody(w, r,
		field{"ip", &q.IP, wantIP, true},
		field{"interface", &q.Interface, wantName, false},
		field{"timeout", &q.Timeout, wantSeconds, false})
	if err != nil {
		return err
	}
	if err := checkIP("ip", q.IP); err != nil {
		return err
	}
	if t := q.Timeout.Duration(); t < 0 || t > maxResolve {
		return fmt.Errorf("timeout: want 0 to %g seconds, not %g: %w", maxResolve.Seconds(), t.Seconds(), syscall.EINVAL)
	}
	ctx, cancel := waiting(r)
	defer cancel()
	entry, err := s.resolve(ctx, w, q)
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, entry)
}

func (s *Server) resolve(ctx context.Context, w http.ResponseWriter, q api.ResolveRequest) (api.Entry, error) {
	limited := ctx
	if q.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, q.Timeout.Duration())
		defer cancel()
	}
	entry, err := s.backend.Resolve(limited, q.IP, q.Interface)
	switch {
	case err == nil:
		return entry, nil
	case context.Cause(ctx) == errStopping:
		return entry, errStopping
	case errors.Is(err, context.DeadlineExceeded):
		// Nothing says yet that the host is down, but the caller waits no longer.
		return entry, fmt.Errorf("resolving %v: no answer in %v: %w", q.IP, q.Timeout, syscall.EHOSTDOWN)
	}
	return entry, err
}

func (s *Server) postAnnounce(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	var q api.AnnounceRequest
	if err := decodeBody(w, r, onInterface(&q.Interface, &q.IPs)...); err != nil {
		return err
	}
	if err := checkOnInterface(q.Interface, q.IPs); err != nil {
		return err
	}
	if err := s.backend.Announce(r.Context(), q.Interface, q.IPs); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// onInterface are the keys of a body about addresses on an interface.
func onInterface(iface *string, ips *[]netip.Addr) []field {
	return []field{{"interface", iface, wantName, true}, {"ips", ips, wantIPs, true}}
}

// checkOnInterface returns what is wrong with the values of [onInterface].
func checkOnInterface(iface string, ips []netip.Addr) error {
	if iface == "" {
		return fmt.Errorf("interface: empty; want %s: %w", wantName, syscall.EINVAL)
	}
	if len(ips) == 0 {
		return fmt.Errorf("ips: empty; want %s: %w", wantIPs, syscall.EINVAL)
	}
	for _, ip := range ips {
		if err := checkIP("ips", ip); err != nil {
			return err
		}
	}
	return nil
}
