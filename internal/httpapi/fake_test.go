package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/event"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childSocket) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// fake is a backend with a table and a memory of what was asked of it.
type fake struct {
	mu      sync.Mutex
	calls   []string
	entries []api.Entry
	rules   []api.ProxyRule
	err     error // of every call, if there is one
	resolve func(context.Context) error
	probe   func(ctx context.Context, q api.ProbeRequest, found func(api.Probed)) error // nil: all are free
	status  api.Status
	stats   api.Stats
}

// called notes a call and returns the error it has to have.
func (f *fake) called(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fake) callsMade() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fake) Entries(_ context.Context, q api.EntryFilter) ([]api.Entry, error) {
	err := f.called("entries %+v", q)
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []api.Entry
	for _, e := range f.entries {
		if (q.Interface == "" || e.Interface == q.Interface) && (!q.IP.IsValid() || e.IP == q.IP) {
			found = append(found, e)
		}
	}
	return found, err
}

func (f *fake) SetEntry(_ context.Context, e api.SetEntry) (api.Entry, bool, error) {
	err := f.called("set %+v", e)
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := api.Entry{IP: e.IP, MAC: e.MAC, Interface: e.Interface, Permanent: !e.Temp, State: api.StatePermanent}
	for i := range f.entries {
		if f.entries[i].IP == e.IP && f.entries[i].Interface == e.Interface {
			f.entries[i] = entry
			return entry, false, err
		}
	}
	if err == nil {
		f.entries = append(f.entries, entry)
	}
	return entry, true, err
}

func (f *fake) DeleteEntry(_ context.Context, ip netip.Addr, iface string, pubOnly bool) ([]api.Entry, error) {
	if err := f.called("delete %v %q %v", ip, iface, pubOnly); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("deleting %v: no entry: %w", ip, syscall.ENOENT)
}

func (f *fake) DeleteEntries(_ context.Context, iface string) ([]api.Entry, error) {
	return nil, f.called("delete all %q", iface)
}

func (f *fake) Resolve(ctx context.Context, ip netip.Addr, iface string) (api.Entry, error) {
	err := f.called("resolve %v %q", ip, iface)
	if f.resolve != nil {
		err = f.resolve(ctx)
	}
	return api.Entry{IP: ip, MAC: "02:00:00:00:00:09"}, err
}

func (f *fake) Announce(_ context.Context, iface string, ips []netip.Addr) error {
	return f.called("announce %q %v", iface, ips)
}

func (f *fake) Probe(ctx context.Context, q api.ProbeRequest, found func(api.Probed)) error {
	if err := f.called("probe %q %v %v", q.Interface, q.IPs, q.Fast); err != nil {
		return err
	}
	if f.probe != nil {
		return f.probe(ctx, q, found)
	}
	for _, ip := range q.IPs {
		found(api.Probed{IP: ip, Free: true})
	}
	return nil
}

func (f *fake) ProxyRules(context.Context) ([]api.ProxyRule, error) {
	err := f.called("rules")
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.rules), err
}

func (f *fake) SetProxyRule(_ context.Context, r api.ProxyRule) (api.ProxyRule, bool, error) {
	err := f.called("set rule %+v", r)
	f.mu.Lock()
	defer f.mu.Unlock()
	created := !slices.ContainsFunc(f.rules, func(o api.ProxyRule) bool { return o.Prefix == r.Prefix && o.Interface == r.Interface })
	if err == nil && created {
		f.rules = append(f.rules, r)
	}
	return r, created, err
}

func (f *fake) DeleteProxyRule(_ context.Context, prefix netip.Prefix, iface string) (api.ProxyRule, error) {
	return api.ProxyRule{Prefix: prefix, Interface: iface, Ether: api.EtherAuto}, f.called("delete rule %v %q", prefix, iface)
}

func (f *fake) Explain(_ context.Context, q api.ExplainQuery) (api.Explanation, error) {
	return api.Explanation{Interface: q.Interface, Target: q.Target, Sender: q.Sender, SenderMAC: q.MAC}, f.called("explain %+v", q)
}

func (f *fake) Sysctls(iface string) ([]api.SysctlNode, error) {
	return nil, f.called("sysctls %q", iface)
}

func (f *fake) Sysctl(name, iface string) (api.SysctlNode, error) {
	return api.SysctlNode{Name: name, Interface: iface, Value: 1200}, f.called("sysctl %q %q", name, iface)
}

func (f *fake) SetSysctl(name, iface string, value int64) (api.SysctlNode, error) {
	return api.SysctlNode{Name: name, Interface: iface, Value: value}, f.called("set sysctl %q %q %d", name, iface, value)
}

func (f *fake) ResetSysctl(name, iface string) (api.SysctlNode, error) {
	return api.SysctlNode{Name: name, Interface: iface, Value: 1200}, f.called("reset sysctl %q %q", name, iface)
}

func (f *fake) Status(context.Context) (api.Status, error) { return f.status, f.called("status") }

func (f *fake) Interfaces(context.Context) ([]api.Interface, error) {
	return nil, f.called("interfaces")
}

func (f *fake) Routes(context.Context) ([]api.Route, error) { return nil, f.called("routes") }

func (f *fake) Stats(context.Context) (api.Stats, error) { return f.stats, f.called("stats") }

func (f *fake) Take(_ context.Context, iface string) (api.Interface, error) {
	return api.Interface{Name: iface, State: "up"}, f.called("take %q", iface)
}

func (f *fake) Release(_ context.Context, iface string) error { return f.called("release %q", iface) }

func (f *fake) Reload(context.Context) (api.ReloadResult, error) {
	return api.ReloadResult{}, f.called("reload")
}

var _ Backend = (*fake)(nil)

// Users of the tests. The daemon's user is 900, its group 901.
var (
	root     = Credentials{Known: true}
	owner    = Credentials{Known: true, UID: 900, GID: 900}
	member   = Credentials{Known: true, UID: 1000, GID: 1000, Groups: []uint32{4, 901}}
	byGID    = Credentials{Known: true, UID: 1001, GID: 901}
	stranger = Credentials{Known: true, UID: 1002, GID: 1002, Groups: []uint32{4, 1002}}
	unknown  = Credentials{}
)

var testRights = Rights{Owner: 900, Group: 901}

// running is a server on a Unix socket.
type running struct {
	*fake
	server *Server
	ring   *event.Ring
	path   string
	http   *http.Client
	client *api.Client
	stop   func() // ends the server and waits; may be called twice
}

// start serves a fake backend to callers who are all who.
func start(t *testing.T, who Credentials) *running {
	t.Helper()
	return startAs(t, func(net.Conn) (Credentials, error) { return who, nil }, filepath.Join(t.TempDir(), "isat.sock"))
}

func startAs(t *testing.T, peer func(net.Conn) (Credentials, error), path string) *running {
	t.Helper()
	f := &fake{}
	ring := event.NewRing("test", 1024)
	s := New(Config{Backend: f, Events: ring, Rights: testRights, Peer: peer, Log: slog.New(slog.DiscardHandler)})
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{fake: f, server: s, ring: ring, path: path, client: api.NewClient(path), http: unixClient(path)}
	r.stop = run(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
	t.Cleanup(func() { r.client.Close(); r.http.CloseIdleConnections() })
	return r
}

// run calls serve until the test ends or stop is called.
func run(t *testing.T, serve func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; header is pairs of names and values.
func (r *running) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	return request(t, r.http, method, "http://isat"+path, body, header...)
}

func request(t *testing.T, c *http.Client, method, url, body string, header ...string) answer {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			q.Host = header[i+1]
		}
		q.Header.Set(header[i], header[i+1])
	}
	a, err := c.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{a.StatusCode, a.Header, string(text)}
}

// wantError checks that an answer is an error in JSON, and returns its text.
func (a answer) wantError(t *testing.T, status int, errno string) string {
	t.Helper()
	var e api.Error
	d := json.NewDecoder(bytes.NewReader([]byte(a.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("the error is not JSON: %v, type %q: %s", err, a.header.Get("Content-Type"), a.body)
	}
	if a.status != status || e.Errno != errno || e.Text == "" {
		t.Errorf("got status %d, %+v, want %d %s", a.status, e, status, errno)
	}
	return e.Text
}

// jsonEvents returns a function that reads the next event of a body.
func jsonEvents(body io.Reader) func(*testing.T) api.Event {
	d := json.NewDecoder(body)
	return func(t *testing.T) (e api.Event) {
		t.Helper()
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		return e
	}
}

// needs skips a test that cannot run here, or fails it where all have to.
func needs(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("ISAT_REQUIRE_E2E") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
