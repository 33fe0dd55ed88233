package daemon

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
	"github.com/isat-project/isat/route"
)

const (
	maxAge   = "net.link.ether.inet.max_age"
	maxTries = "net.link.ether.inet.maxtries"
)

// parse reads a configuration that has to be right.
func parse(t *testing.T, text string) config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newDaemon() *Daemon {
	return &Daemon{mib: mib.New(), log: slog.New(slog.DiscardHandler)}
}

func (d *Daemon) value(t *testing.T, name, ifname string) int64 {
	t.Helper()
	v, err := d.mib.Get(name, ifname)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTunables replaces a configuration: what the new one does not name has its
// default again, for the host and for an interface.
func TestTunables(t *testing.T) {
	d := newDaemon()
	first := parse(t, "[sysctl]\n\""+maxAge+"\" = 100\n[[interface]]\nname = \"e0\"\ndad = false\n[interface.sysctl]\n\""+maxTries+"\" = 9\n")
	second := parse(t, "[sysctl]\n\""+maxTries+"\" = 3\n[[interface]]\nname = \"e0\"\ndad = false\n")
	steps := []struct {
		old, new                   config.Config
		age, tries, interfaceTries int64
	}{
		{config.Config{}, first, 100, 5, 9},
		{first, second, 1200, 3, 3},
		{second, first, 100, 5, 9},
	}
	for i, s := range steps {
		if err := d.setTunables(s.old, s.new); err != nil {
			t.Fatal(err)
		}
		if a, n, ni := d.value(t, maxAge, ""), d.value(t, maxTries, ""), d.value(t, maxTries, "e0"); a != s.age || n != s.tries || ni != s.interfaceTries {
			t.Errorf("step %d: max_age %d, maxtries %d and %d of e0, want %d, %d and %d", i, a, n, ni, s.age, s.tries, s.interfaceTries)
		}
	}
}

// TestResetTunable undoes what was set by hand: the configuration's value holds
// again, or the one beneath if it has none.
func TestResetTunable(t *testing.T) {
	d := newDaemon()
	d.config = parse(t, "[sysctl]\n\""+maxAge+"\" = 100\n[[interface]]\nname = \"e0\"\ndad = false\n[interface.sysctl]\n\""+maxTries+"\" = 9\n")
	if err := d.setTunables(config.Config{}, d.config); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, ifname string
		want         int64
	}{
		{maxAge, "", 100}, {maxAge, "e0", 100}, {maxTries, "", 5}, {maxTries, "e0", 9}, {maxTries, "e1", 5},
	} {
		if err := d.mib.Set(tt.name, tt.ifname, 42); err != nil {
			t.Fatal(err)
		}
		if err := d.resetTunable(tt.name, tt.ifname); err != nil {
			t.Error(err)
		}
		if got := d.value(t, tt.name, tt.ifname); got != tt.want {
			t.Errorf("%s of %q is %d, want %d", tt.name, tt.ifname, got, tt.want)
		}
	}
	if err := d.resetTunable("net.link.ether.inet.proxyall", "e0"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("what no interface has of its own: %v, want EINVAL", err)
	}
}

// TestMatched gives an interface that comes later the tunables of its pattern.
func TestMatched(t *testing.T) {
	d := newDaemon()
	c := parse(t, "[[interface]]\nname = \"later*\"\narp = \"static\"\ndad = false\n[interface.sysctl]\n\""+maxTries+"\" = 7\n")
	if err := d.setTunables(config.Config{}, c); err != nil {
		t.Fatal(err)
	}
	spec, ok := d.matched(c, "later0")
	if want := (takeover.Spec{Name: "later0", Mode: host.Static}); !ok || spec != want {
		t.Errorf("spec %+v, %v, want %+v", spec, ok, want)
	}
	if n := d.value(t, maxTries, "later0"); n != 7 {
		t.Errorf("maxtries of later0 is %d, want 7", n)
	}
	if _, ok := d.matched(c, "eth0"); ok {
		t.Error("eth0 matches later*")
	}
}

// TestEntry has how entries of the host look in the API.
func TestEntry(t *testing.T) {
	now := time.Now()
	ip, mac := netip.MustParseAddr("192.0.2.9"), lladdr.MustParse("02:00:00:00:00:09")
	base := host.Entry{Interface: "e0", Type: "ethernet", IP: ip, MAC: mac, Flags: route.Up | route.Host}
	with := func(change func(*host.Entry)) host.Entry { e := base; change(&e); return e }
	plain := api.Entry{IP: ip, MAC: "02:00:00:00:00:09", Interface: "e0", Type: "ethernet", Flags: "UH"}
	and := func(change func(*api.Entry)) api.Entry { e := plain; change(&e); return e }
	tests := []struct {
		name string
		in   host.Entry
		want api.Entry
	}{
		{"reachable", with(func(e *host.Entry) { e.State, e.Expires = cache.Reachable, now.Add(90*time.Second+time.Millisecond) }),
			and(func(e *api.Entry) {
				e.State, e.ExpiresIn, e.Origin = api.StateReachable, api.Seconds(90*time.Second), "learned"
			})},
		{"late", with(func(e *host.Entry) { e.State, e.Expires = cache.Verify, now.Add(-time.Second) }),
			and(func(e *api.Entry) { e.State, e.Origin = "verify", "learned" })},
		{"permanent", with(func(e *host.Entry) { e.State, e.Origin = cache.Permanent, host.Administrator }),
			and(func(e *api.Entry) { e.State, e.Permanent, e.Origin = "permanent", true, "administrator" })},
		{"published", with(func(e *host.Entry) {
			e.State, e.Origin, e.Publish = cache.Permanent, host.Administrator, host.Published
		}), and(func(e *api.Entry) {
			e.State, e.Permanent, e.Origin, e.Published = "permanent", true, "administrator", true
		})},
		{"published only", with(func(e *host.Entry) {
			e.State, e.Origin, e.Publish = cache.Permanent, host.Administrator, host.PublishedOnly
		}), and(func(e *api.Entry) {
			e.State, e.Permanent, e.Origin, e.Published, e.PublishOnly = "permanent", true, "administrator", true, true
		})},
		{"blackhole", with(func(e *host.Entry) {
			e.State, e.Origin, e.Action = cache.Permanent, host.Administrator, host.Blackhole
		}), and(func(e *api.Entry) {
			e.State, e.Permanent, e.Origin, e.Action = "permanent", true, "administrator", api.ActionBlackhole
		})},
		{"incomplete", with(func(e *host.Entry) {
			e.State, e.Tries, e.Held, e.Origin, e.Expires = cache.Incomplete, 3, 1, host.Demanded, now.Add(time.Second)
		}), and(func(e *api.Entry) {
			e.State, e.Tries, e.Hold, e.Origin, e.Incomplete, e.MAC = "incomplete", 3, 1, "demanded", true, ""
		})},
		{"own", with(func(e *host.Entry) {
			e.State, e.Own, e.Authority, e.Origin = cache.Permanent, true, true, host.Administrator
		}),
			and(func(e *api.Entry) { e.State, e.Permanent, e.Authority, e.Origin = "permanent", true, true, "own" })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, entry(tt.in, now), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestInterfaceStatus has the states of interfaces without a host.
func TestInterfaceStatus(t *testing.T) {
	tests := []struct {
		status          takeover.Status
		state, datapath string
	}{
		{takeover.Status{Spec: takeover.Spec{Name: "e0"}}, "absent", "kernel"},
		{takeover.Status{Spec: takeover.Spec{Name: "e0", Observe: true}}, "absent", "observe"},
		{takeover.Status{Spec: takeover.Spec{Name: "e0"}, Err: syscall.EOPNOTSUPP}, "failed", "kernel"},
		{takeover.Status{Spec: takeover.Spec{Name: "e0"}, Released: true}, "released", "kernel"},
	}
	for _, tt := range tests {
		if i := interfaceStatus(tt.status, 0); string(i.State) != tt.state || string(i.Datapath) != tt.datapath || i.Guarded || i.Addresses == nil {
			t.Errorf("%+v is %+v, want %s, %s", tt.status, i, tt.state, tt.datapath)
		}
	}
}

// TestRights looks the groups up.
func TestRights(t *testing.T) {
	d := config.Default().Daemon
	d.SocketGroup = "root"
	if r, err := rights(d); err != nil || r.Group != 0 || r.GroupReads || r.Owner != uint32(os.Geteuid()) {
		t.Errorf("%+v, %v", r, err)
	}
	d.SocketGroup = "no such group"
	if _, err := rights(d); err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("a group that does not exist: %v", err)
	}
	d = config.Default().Daemon // need not exist, unless it is to read alone
	if r, err := rights(d); err != nil || r.Group != httpapi.NoGroup && r.Group < 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLevel translates the severities of syslog.
func TestLevel(t *testing.T) {
	for severity, want := range map[event.Severity]slog.Level{
		event.Error: slog.LevelError, event.Warning: slog.LevelWarn, event.Info: slog.LevelInfo, event.Debug: slog.LevelDebug,
	} {
		if got := level(severity); got != want {
			t.Errorf("severity %v has level %v, want %v", severity, got, want)
		}
	}
}

// TestNotifyDoesNotBlock tells states to a systemd that does not read them.
func TestNotifyDoesNotBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	var log strings.Builder
	d := &Daemon{log: slog.New(slog.NewTextHandler(&log, nil))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !strings.Contains(log.String(), "does not read") {
			d.ready()
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("the daemon waits for systemd")
	}
	c.Close() // and ends what still waits
}
