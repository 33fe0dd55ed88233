package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/api"
)

// ISAT is a daemon on a host.
type ISAT struct {
	*Process
	Host *Host
	API  *api.Client

	t       testing.TB
	dir     string
	wires   map[string]*Capture
	killed  bool
	stopped bool
}

// standard is the configuration of most tests.
const standard = `
[[interface]]
name = "e0"
dad = false
`

// StartISAT starts a daemon on the host and waits until it has taken over what
// the configuration names. The harness adds the table [daemon]. At the end of the
// test the daemon is ended and must exit with status 0 without a word of the race
// detector, and tshark must find every ARP frame sound that left the Ethernet
// interfaces that were there at the start.
func StartISAT(t testing.TB, h *Host, config string) *ISAT {
	t.Helper()
	need(t, "tshark")
	// Not t.TempDir: the path of a Unix socket has room for 107 bytes.
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return startISAT(t, h, dir, config)
}

// Restart starts another daemon with the directories of d, which has ended.
func (d *ISAT) Restart(config string) *ISAT {
	d.t.Helper()
	<-d.Done()
	return startISAT(d.t, d.Host, d.dir, config)
}

func startISAT(t testing.TB, h *Host, dir, config string) *ISAT {
	t.Helper()
	wires := make(map[string]*Capture)
	for _, ifname := range h.ethernets() {
		wires[ifname] = h.Capture(ifname)
	}
	return launch(t, h, dir, config, wires)
}

// launch starts a daemon, with captures that are there already or with none.
func launch(t testing.TB, h *Host, dir, config string, wires map[string]*Capture) *ISAT {
	t.Helper()
	d := &ISAT{Host: h, t: t, dir: dir, wires: wires}
	d.WriteConfig(config)
	os.Remove(d.path("notify")) // of the daemon before
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.path("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notify.Close() })

	cmd := exec.Command(program(t), "--socket", d.path("sock"), "run", "--config", d.path("toml"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+d.path("notify"), "GORACE=halt_on_error=0")
	d.Process = h.start(cmd)
	d.API = api.NewClient(d.path("sock"))
	t.Cleanup(d.close)
	d.awaitReady(notify)
	go func() { // as systemd goes on reading: the queue has room for few messages
		_ = notify.SetReadDeadline(time.Time{})
		for b := make([]byte, 4096); ; {
			if _, err := notify.Read(b); err != nil {
				return // closed
			}
		}
	}()
	return d
}

func (d *ISAT) path(name string) string { return filepath.Join(d.dir, name) }

// WriteConfig writes the file that the daemon reads again at [api.Client.Reload].
func (d *ISAT) WriteConfig(config string) {
	d.t.Helper()
	daemon := fmt.Sprintf("[daemon]\nsocket = %q\nruntime-dir = %q\nstate-dir = %q\n", d.path("sock"), d.path("run"), d.path("state"))
	// All at once: the daemon may read it at any moment.
	err := os.WriteFile(d.path("toml.new"), []byte(daemon+config), 0o600)
	if err == nil {
		err = os.Rename(d.path("toml.new"), d.path("toml"))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// ethernets returns the names of the interfaces that are up and have a MAC.
func (h *Host) ethernets() []string {
	h.t.Helper()
	var names []string
	if err := h.NS.Do(func() error {
		all, err := net.Interfaces()
		for _, i := range all {
			if len(i.HardwareAddr) == 6 && i.Flags&net.FlagUp != 0 {
				names = append(names, i.Name)
			}
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return names
}

// awaitReady waits for READY=1 of sd_notify(3).
func (d *ISAT) awaitReady(notify *net.UnixConn) {
	d.t.Helper()
	var b [4096]byte
	ready := false
	await(d.t, "the daemon is ready or has ended", func() bool {
		notify.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, _ := notify.Read(b[:])
		ready = ready || strings.Contains(string(b[:n]), "READY=1")
		select {
		case <-d.Done():
			d.t.Fatalf("the daemon ended before it was ready\n%s", d.Output())
		default:
		}
		return ready
	})
}

// Stop ends the daemon as an operator does and checks how it ended, once. The end
// of the test calls it.
func (d *ISAT) Stop() {
	d.t.Helper()
	if d.stopped {
		return
	}
	d.stopped = true
	code := d.End(d.t, syscall.SIGTERM)
	if !d.killed && code != 0 {
		d.t.Errorf("isat ended with exit status %d\n%s", code, d.Output())
	}
	if strings.Contains(d.Output(), "DATA RACE") {
		d.t.Errorf("the race detector found something\n%s", d.Output())
	}
	d.API.Close()
	for _, c := range d.wires {
		c.CheckSent()
	}
}

// Kill is SIGKILL. The daemon has ended when it returns.
func (d *ISAT) Kill() {
	d.t.Helper()
	d.killed = true
	d.End(d.t, syscall.SIGKILL)
}

func (d *ISAT) close() {
	d.Stop()
	if d.t.Failed() {
		d.t.Logf("isat wrote:\n%s", d.Output())
	}
}

// Wire returns the capture of what passes an interface since the start.
func (d *ISAT) Wire(ifname string) *Capture {
	d.t.Helper()
	c := d.wires[ifname]
	if c == nil {
		d.t.Fatalf("there is no capture of %s", ifname)
	}
	return c
}

// Tool runs a command of isat, such as "arp", "-an", against the daemon.
func (d *ISAT) Tool(args ...string) Result {
	d.t.Helper()
	return d.Host.Run(append([]string{program(d.t), "--socket", d.path("sock")}, args...)...)
}

// Stats returns the counters of the whole daemon.
func (d *ISAT) Stats() api.Counters {
	d.t.Helper()
	s, err := d.API.Stats(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return s.Counters
}

// Entry returns the entry that isat has of an address on an interface.
func (d *ISAT) Entry(ifname, ip string) (api.Entry, bool) {
	d.t.Helper()
	all, err := d.API.Entries(d.t.Context(), api.EntryFilter{Interface: ifname, IP: netip.MustParseAddr(ip)})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(all) == 0 {
		return api.Entry{}, false
	}
	return all[0], true
}

// Said returns how often the daemon wrote a line.
func (d *ISAT) Said(line string) (n int) {
	for l := range strings.Lines(d.Output()) {
		if strings.TrimSuffix(l, "\n") == line {
			n++
		}
	}
	return n
}

// Neighbour is an entry of the kernel's neighbour table as `ip -json neigh` has
// it.
type Neighbour struct {
	IP       string   `json:"dst"`
	Dev      string   `json:"dev"`
	MAC      string   `json:"lladdr"`
	State    []string `json:"state"`
	Protocol string   `json:"protocol"`
}

// Neighbours returns the kernel's entries of an interface, by iproute2.
func (h *Host) Neighbours(ifname string) []Neighbour {
	h.t.Helper()
	var all []Neighbour
	if err := json.Unmarshal([]byte(h.Must("ip", "-json", "neigh", "show", "nud", "all", "dev", ifname)), &all); err != nil {
		h.t.Fatal(err)
	}
	return all
}

// Neighbour returns the kernel's entry of an address on an interface.
func (h *Host) Neighbour(ifname, ip string) (Neighbour, bool) {
	h.t.Helper()
	for _, n := range h.Neighbours(ifname) {
		if n.IP == ip {
			return n, true
		}
	}
	return Neighbour{}, false
}
