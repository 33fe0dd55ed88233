package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/isat-project/isat/api"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers on a Unix socket with h and returns a client.
func serve(t *testing.T, h http.HandlerFunc) *api.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	c := api.NewClient(path)
	t.Cleanup(func() { c.Close(); server.Close(); <-done })
	return c
}

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// TestEntriesPages has a server whose pages are cut between addresses, with two
// interfaces that share every address.
func TestEntriesPages(t *testing.T) {
	const addresses = 20_000 // more than one page
	requests := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil {
			t.Errorf("limit: %v", err)
		}
		first := 0
		if after := r.URL.Query().Get("after"); after != "" {
			b := netip.MustParseAddr(after).As4()
			first = (int(b[1])<<16 | int(b[2])<<8 | int(b[3])) + 1
		}
		page := api.Entries{Entries: []api.Entry{}}
		for n := first; n < addresses && len(page.Entries) < limit; n++ {
			page.Entries = append(page.Entries, api.Entry{IP: addr(n), Interface: "e0"}, api.Entry{IP: addr(n), Interface: "e1"})
		}
		json.NewEncoder(w).Encode(page)
	})
	all, err := c.Entries(t.Context(), api.EntryFilter{})
	if err != nil || len(all) != 2*addresses {
		t.Fatalf("got %d entries, %v, want %d", len(all), err, 2*addresses)
	}
	if requests != 3 {
		t.Errorf("%d requests, want 3", requests)
	}
	for i, e := range all {
		if e.IP != addr(i/2) {
			t.Fatalf("entry %d is %v, want %v", i, e.IP, addr(i/2))
		}
	}
	few, err := c.Entries(t.Context(), api.EntryFilter{Limit: 6, After: addr(9)})
	if err != nil || len(few) != 6 || few[0].IP != addr(10) {
		t.Errorf("limit 6 after %v: %d entries, %v", addr(9), len(few), err)
	}
}

func TestEntriesNoProgress(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		json.NewEncoder(w).Encode(api.Entries{Entries: make([]api.Entry, limit)})
	})
	if _, err := c.Entries(t.Context(), api.EntryFilter{After: addr(1)}); err == nil {
		t.Error("a server that repeats itself is read for ever")
	}
}

func TestClientErrors(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/status":
			http.Error(w, "not from isat", http.StatusBadGateway)
		case "/v1/stats":
			io.WriteString(w, `{"txrequests":`)
		case "/v1/routes":
			http.Redirect(w, r, "/v1/arp", http.StatusMovedPermanently)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error":"interface \"e9\" does not exist","errno":"ENXIO"}`)
		}
	})
	_, err := c.Take(t.Context(), "e9")
	var e *api.Error
	if !errors.As(err, &e) || e.Status != 404 || e.Error() != `interface "e9" does not exist` || !errors.Is(err, syscall.ENXIO) {
		t.Errorf("got %#v", err)
	}
	if _, err := c.Status(t.Context()); !errors.As(err, &e) || e.Status != 502 || e.Error() != "not from isat" {
		t.Errorf("plain text: got %#v", err)
	}
	if _, err := c.Stats(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an answer: got %v", err)
	}
	if _, err := c.Routes(t.Context()); !errors.As(err, &e) || e.Status != http.StatusMovedPermanently {
		t.Errorf("redirect: got %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	c := api.NewClient(filepath.Join(t.TempDir(), "none"))
	defer c.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("without a socket: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A newer daemon may say more than this client knows.
func TestUnknownKeys(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"entries":[{"ip":"192.0.2.1","new_key":{"a":1}}],"more":0}`)
	})
	e, err := c.DeleteEntries(t.Context(), "")
	if err != nil || len(e) != 1 || e[0].IP != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("got %+v, %v", e, err)
	}
}

// eventServer sends n events and then waits, or ends.
func eventServer(t *testing.T, n int, wait bool) *api.Client {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("since"); got != "a:1" {
			t.Errorf("since is %q", got)
		}
		for i := range n {
			fmt.Fprintf(w, `{"instance":"a","seq":%d,"time":"2026-01-02T03:04:05Z","type":"added"}`+"\n", i+2)
		}
		http.NewResponseController(w).Flush()
		if wait {
			<-r.Context().Done()
		}
	})
}

func TestEventStreamEnds(t *testing.T) {
	s, err := eventServer(t, 3, false).Events(t.Context(), api.Position{Instance: "a", Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	var last api.Event
	for e, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if got := last.Position().String(); got != "a:4" {
		t.Errorf("the last event is %s, want a:4", got)
	}
}

func TestEventStreamClose(t *testing.T) {
	s, err := eventServer(t, 1, true).Events(t.Context(), api.Position{Instance: "a", Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	go s.Close() // wakes Next
	if _, err := s.Next(); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
	s.Close()
}

func TestEventStreamContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := eventServer(t, 0, true).Events(ctx, api.Position{Instance: "a", Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel()
	if _, err := s.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEventStreamBroken(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"seq":1}{"seq":`) })
	s, err := c.Events(t.Context(), api.Position{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range s.All() {
		n++
	}
	if n != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d pairs, the last with %v", n, err)
	}
}
