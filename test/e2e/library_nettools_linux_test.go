package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLibraryNetTools has Debian's arp of net-tools work on the table of a host of
// its own, of which the kernel knows nothing.
func TestLibraryNetTools(t *testing.T) {
	t.Parallel()
	Require(t, "arp", "ping")
	dir := library(t)
	d, isat, _ := newTUN(t, strings.Replace(tunConfig, `"192.0.2.1/24"`, `"192.0.2.1/24", "10.1.0.1/16"`, 1))
	arp := func(args ...string) Result {
		t.Helper()
		return isat.Run(slices.Concat(d.preload(dir), []string{"arp"}, args)...)
	}
	says := func(want string, args ...string) {
		t.Helper()
		if r := arp(args...); !strings.Contains(r.Stdout, want) || r.Code != 0 || r.Stderr != "" {
			t.Errorf("arp %s: exit status %d, it says\n%s%sand not %q", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr, want)
		}
	}

	isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
	says("? ("+peerIP+") at "+peerMAC+" [ether] on isat0\n", "-an")
	says("? ("+peerIP+") at "+peerMAC+" [ether] on isat0\n", "-an", peerIP)
	says("? ("+peerIP+") at "+peerMAC+" [ether] on isat0\n", "-an", "-i", "isat0")
	says(peerIP+"                ether   "+peerMAC+"   C                     isat0\n", "-n")

	says("", "-s", askerIP, askerMAC)
	if e, ok := d.Entry("isat0", askerIP); !ok || string(e.MAC) != askerMAC || !e.Permanent {
		t.Errorf("arp -s has made %+v, %v", e, ok)
	}
	says("? ("+askerIP+") at "+askerMAC+" [ether] PERM on isat0\n", "-an")
	says("", "-s", askerIP, "02:00:00:00:00:0b", "temp")
	if e, ok := d.Entry("isat0", askerIP); !ok || string(e.MAC) != "02:00:00:00:00:0b" || e.Permanent {
		t.Errorf("arp -s with temp has made %+v, %v", e, ok)
	}
	says("", "-i", "isat0", "-s", askerIP, askerMAC)
	if e, ok := d.Entry("isat0", askerIP); !ok || string(e.MAC) != askerMAC {
		t.Errorf("arp -i isat0 -s has made %+v, %v", e, ok)
	}
	says("", "-d", askerIP)
	if e, ok := d.Entry("isat0", askerIP); ok {
		t.Errorf("arp -d has left %+v", e)
	}
	if r := arp("-d", askerIP); r.Stdout+r.Stderr != "No ARP entry for "+askerIP+"\n" {
		t.Errorf("arp -d of what is not there: %+v", r)
	}
	if r := arp("-d", isatIP); !strings.Contains(r.Stdout+r.Stderr, "Operation not supported") {
		t.Errorf("arp -d of an own address: %+v", r)
	}
	for _, n := range isat.Neighbours("isat0") {
		if n.State[0] != "NOARP" { // what a TUN device needs for whatever it sends
			t.Errorf("the kernel has %+v", n)
		}
	}

	// More lines than fit into one answer.
	lines := &strings.Builder{}
	all := make([]string, 1000)
	for i := range all {
		all[i] = fmt.Sprintf("10.1.%d.%d", 1+i/200, 1+i%200)
		fmt.Fprintln(lines, all[i], askerMAC)
	}
	if err := os.WriteFile(d.path("ethers"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	says("", "-f", d.path("ethers"))
	shown := arp("-an").Stdout
	for _, ip := range all {
		if !strings.Contains(shown, "? ("+ip+") at "+askerMAC+" [ether] PERM on isat0\n") {
			t.Fatalf("of %d entries arp -an does not show %s", len(all), ip)
		}
	}
}

// TestLibraryTakenOver: on an interface that isat has taken over the kernel's lines
// and isat's are not shown twice, and isat has at once what arp of net-tools sets.
func TestLibraryTakenOver(t *testing.T) {
	t.Parallel()
	Require(t, "arp", "ping")
	dir := library(t)
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	arp := func(args ...string) string {
		t.Helper()
		return isat.Must(slices.Concat(d.preload(dir), []string{"arp"}, args)...)
	}
	const published, only, resolved = "192.0.2.60", "192.0.2.61", "192.0.2.63"

	isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
	arp("-s", askerIP, askerMAC)
	if e, ok := d.Entry("e0", askerIP); !ok || string(e.MAC) != askerMAC || !e.Permanent {
		t.Errorf("arp -s has made %+v, %v", e, ok)
	}
	await(t, "the kernel follows", func() bool { n, ok := isat.Neighbour("e0", askerIP); return ok && n.MAC == askerMAC })
	if with, without := arp("-an"), isat.Must("arp", "-an"); with != without || strings.Count(with, "\n") != 2 {
		t.Errorf("arp -an shows with the library\n%sand without it\n%s", with, without)
	}

	// What the kernel has not been told, or has a route for.
	const rejected = "192.0.2.62"
	peer.Must("ip", "addr", "add", resolved+"/24", "dev", "e0")
	must(t, d, "resolve", resolved)
	must(t, d, "arp", "-s", rejected, askerMAC, "reject")
	shown := arp("-an")
	for _, line := range []string{
		"? (" + resolved + ") at " + peerMAC + " [ether] on e0\n",
		"? (" + rejected + ") at " + askerMAC + " [ether] PERM on e0\n",
	} {
		if strings.Count(shown, line) != 1 {
			t.Errorf("arp -an shows\n%sand not once %s", shown, line)
		}
	}
	isat.Must("ping", "-q", "-c", "1", "-W", "10", resolved)
	if shown := arp("-an"); strings.Count(shown, "("+resolved+")") != 1 {
		t.Errorf("arp -an shows what the kernel has been told not once:\n%s", shown)
	}
	must(t, d, "arp", "-d", rejected)

	arp("-i", "e0", "-Ds", published, "e0", "pub")
	if e, ok := d.Entry("e0", published); !ok || !e.Published || string(e.MAC) != isatMAC {
		t.Errorf("arp -Ds has made %+v, %v", e, ok)
	}
	must(t, d, "arp", "-s", only, "auto", "pub", "only")
	if line := "? (" + only + ") at " + isatMAC + " [ether] PERM PUB on e0\n"; strings.Count(arp("-an"), line) != 1 {
		t.Errorf("arp -an shows\n%sand not once %s", arp("-an"), line)
	}

	arp("-d", askerIP)
	arp("-i", "e0", "-d", published, "pub")
	for _, ip := range []string{askerIP, published} {
		if e, ok := d.Entry("e0", ip); ok {
			t.Errorf("arp -d has left %+v", e)
		}
	}
	await(t, "the kernel follows", func() bool { n, ok := isat.Neighbour("e0", askerIP); return !ok || n.MAC == "" })
}

// TestLibraryObserved: on an interface that isat only observes arp of net-tools sets, shows
// and deletes what the kernel has.
func TestLibraryObserved(t *testing.T) {
	t.Parallel()
	Require(t, "arp")
	dir := library(t)
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard+"datapath = \"observe\"\n")
	arp := func(args ...string) string {
		t.Helper()
		return isat.Must(slices.Concat(d.preload(dir), []string{"arp"}, args)...)
	}
	arp("-s", askerIP, askerMAC)
	if n, ok := isat.Neighbour("e0", askerIP); !ok || n.MAC != askerMAC {
		t.Errorf("arp -s is done, and the kernel has %+v, %v", n, ok)
	}
	if line := "? (" + askerIP + ") at " + askerMAC + " [ether] PERM on e0\n"; arp("-an", askerIP) != line {
		t.Errorf("arp -an shows %q, want %q", arp("-an", askerIP), line)
	}
	arp("-d", askerIP)
	if n, ok := isat.Neighbour("e0", askerIP); ok && n.MAC != "" {
		t.Errorf("arp -d is done, and the kernel has %+v", n)
	}
}

// TestLibraryTable has /proc/net/arp read by other programs and in other ways.
func TestLibraryTable(t *testing.T) {
	t.Parallel()
	Require(t, "python3", "ping")
	dir := library(t)
	d, isat, peer := newTUN(t, tunConfig)
	(&Net{t: t}).Veth(isat.End("k0", "02:00:00:00:02:01"), peer.End("k0", "02:00:00:00:02:02"))
	isat.Must("ip", "neigh", "add", "10.9.0.9", "lladdr", "02:00:00:00:09:09", "dev", "k0")
	isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
	run := func(args ...string) string {
		t.Helper()
		return isat.Must(slices.Concat(d.preload(dir), args)...)
	}

	kernels := isat.Must("cat", "/proc/net/arp")
	ours := peerIP + "        0x1         0x2         " + peerMAC + "     *        isat0\n"
	if strings.Contains(kernels, peerIP) || strings.Count(kernels, "\n") != 2 {
		t.Fatalf("the kernel's table is\n%s", kernels)
	}
	python := func(program string) []string { return []string{"python3", "-c", program} }
	for name, args := range map[string][]string{
		"cat":                    {"cat", "/proc/net/arp"},
		"process":                {"cat", "/proc/self/net/arp"},
		"thread":                 {"cat", "/proc/thread-self/net/arp"},
		"redirection":            {"bash", "-c", "cat < /proc/net/arp"},
		"relative":               {"bash", "-c", "cd /proc/net && cat arp"},
		"two slashes":            {"cat", "/proc//net/./arp"},
		"python3":                python(`print(open("/proc/net/arp").read(), end="")`),
		"python3, openat":        python(`import os; d = os.open("/proc/net", os.O_RDONLY); print(os.fdopen(os.open("arp", os.O_RDONLY, dir_fd=d)).read(), end="")`),
		"python3, by lines":      python(`[print(l, end="") for l in open("/proc/net/arp", buffering=1)]`),
		"python3, twice":         python(`f = open("/proc/net/arp"); f.read(); f.seek(0); print(f.read(), end="")`),
		"python3, in a thread":   python(`import threading; t = threading.Thread(target=lambda: print(open("/proc/net/arp").read(), end="")); t.start(); t.join()`),
		"python3, after a fork":  python(`import os; p = os.fork(); p and os.wait(); p or print(open("/proc/net/arp").read(), end="")`),
		"inherited by a program": python(`import os; f = os.open("/proc/net/arp", os.O_RDONLY); os.dup2(f, 0); os.execvp("cat", ["cat"])`),
	} {
		if got := run(args...); got != kernels+ours {
			t.Errorf("%s: got\n%swant\n%s%s", name, got, kernels, ours)
		}
	}

	// Left alone: what is not opened for reading, is the table of another
	// namespace, or another file of that name.
	if err := os.WriteFile(d.path("arp"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run("cat", d.path("arp")); got != "a file" {
		t.Errorf("a file of that name has %q", got)
	}
	there := peer.Start("sleep", "60")
	theirs := fmt.Sprintf("/proc/%d/net/arp", there.Pid)
	if want, got := isat.Must("cat", theirs), run("cat", theirs); got != want || !strings.Contains(got, isatIP) {
		t.Errorf("the table of a program in another namespace is\n%swant\n%s", got, want)
	}
	if got := run("unshare", "-n", "cat", "/proc/net/arp"); strings.Contains(got, peerIP) {
		t.Errorf("in another namespace there is\n%s", got)
	}
	path := run(python(`import os; print(os.readlink("/proc/self/fd/%d" % os.open("/proc/net/arp", os.O_PATH)), end="")`)...)
	if !strings.HasPrefix(path, "/proc/") {
		t.Errorf("with O_PATH it is %s", path)
	}
	// A signal ends who writes a file that is too long.
	if got := run("bash", "-c", "ulimit -f 0; cat /proc/net/arp"); got != kernels {
		t.Errorf("with no room for a file in memory there is\n%s", got)
	}
	close := `import fcntl, os; f = os.open("/proc/net/arp", os.O_RDONLY); print(fcntl.fcntl(f, fcntl.F_GETFD), os.set_inheritable(f, True), fcntl.fcntl(f, fcntl.F_GETFD), f, end="")`
	if got := run(python(close)...); got != "1 None 0 3" { // python3 opens with O_CLOEXEC
		t.Errorf("FD_CLOEXEC is %q", got)
	}
}

// TestLibraryWithoutDaemon: programs do with the library what they do without it,
// where there is no daemon, and where it is of another namespace.
func TestLibraryWithoutDaemon(t *testing.T) {
	t.Parallel()
	Require(t, "arp", "ping")
	dir := library(t)
	d, _, _ := newTUN(t, tunConfig)
	if err := os.Chmod(d.dir, 0o755); err != nil { // for nobody
		t.Fatal(err)
	}
	none := *d
	none.dir = t.TempDir()

	results := func(words ...string) (all []Result) {
		isat, _ := NewPair(t)
		isat.Must("ping", "-q", "-c", "1", "-W", "10", peerIP)
		for _, args := range [][]string{
			{"arp", "-an"}, {"arp", "-n"}, {"arp", "-n", peerIP}, {"arp", "-an", "192.0.2.77"},
			{"arp", "-s", askerIP, askerMAC}, {"arp", "-an"}, {"cat", "/proc/net/arp"},
			{"arp", "-d", askerIP}, {"arp", "-d", "192.0.2.77"},
			{"arp", "-i", "e0", "-Ds", "192.0.2.60", "e0", "pub"}, {"arp", "-i", "e0", "-d", "192.0.2.60", "pub"},
			{"arp", "-s", "172.16.0.9", askerMAC}, {"arp", "-d", "172.16.0.9"}, {"arp", "-i", "e9", "-s", askerIP, askerMAC},
			{"setpriv", "--reuid=65534", "--clear-groups", "arp", "-s", askerIP, askerMAC},
		} {
			r := isat.Run(slices.Concat(words, args)...)
			lines := slices.Sorted(strings.Lines(r.Stdout)) // the kernel has no order
			r.Args, r.Stdout = args, strings.Join(lines, "")
			all = append(all, r)
		}
		return all
	}
	want := results()
	for name, words := range map[string][]string{"no daemon": none.preload(dir), "another namespace": d.preload(dir)} {
		if diff := cmp.Diff(want, results(words...)); diff != "" {
			t.Errorf("%s: without and with the library:\n%s", name, diff)
		}
	}
	for _, i := range []int{0, 4} { // not all of it fails
		if want[i].Code != 0 {
			t.Errorf("without the library: %+v", want[i])
		}
	}
}
