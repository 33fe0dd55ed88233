package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The lives of TestHostKill. All of the hundred where nothing may be left
// out, fewer where somebody waits.
var (
	killSeed  = flag.Uint64("kill.seed", 0, "seed of the instants of SIGKILL; 0: another each time")
	killLives = flag.Int("kill.lives", 0, "how many daemons are killed; 0: 12, or 100 if ISAT_REQUIRE_E2E=1")
)

// killWorkers is how many networks the lives are shared among.
const killWorkers = 4

// lives returns how many daemons are killed.
func lives() int {
	switch {
	case *killLives > 0:
		return *killLives
	case os.Getenv("ISAT_REQUIRE_E2E") == "1":
		return 100
	}
	return 12
}

// answerTime is how long an arping or a cold ping may take after a SIGKILL.
const answerTime = 2 * time.Second

// A moment is a time in the life of a daemon that begins with an action and lasts
// about a while.
type moment struct {
	name   string
	begin  func(t testing.TB, d *mortal)
	lasts  time.Duration
	unborn bool // does not wait until the daemon is ready
}

// moments are when daemons die.
var moments = []moment{
	{name: "start", lasts: 150 * time.Millisecond, unborn: true},
	{name: "running", lasts: 50 * time.Millisecond},
	{name: "reload", lasts: 40 * time.Millisecond, begin: func(t testing.TB, d *mortal) {
		d.configure(t, d.reloads%2 == 0)
		d.reloads++
		d.signal(syscall.SIGHUP)
	}},
	{name: "teardown", lasts: 30 * time.Millisecond, begin: func(t testing.TB, d *mortal) {
		d.tools.Go(func() { _, _ = d.tool(t.Context(), "release", "e0") })
	}},
	{name: "exit", lasts: 30 * time.Millisecond, begin: func(t testing.TB, d *mortal) { d.signal(syscall.SIGTERM) }},
}

// mortal is a daemon that is killed and started again, on e0 and sometimes on e1.
type mortal struct {
	host    *Host
	dir     string
	process *Process
	reloads int
	tools   sync.WaitGroup // those that run beside it: the next daemon is not meant
}

// configure writes a configuration: with or without e1.
func (d *mortal) configure(t testing.TB, both bool) {
	t.Helper()
	text := standard
	if both {
		text += strings.ReplaceAll(standard, "e0", "e1")
	}
	d.write(t, text)
}

func (d *mortal) write(t testing.TB, config string) {
	t.Helper()
	text := fmt.Sprintf("[daemon]\nsocket = %q\nruntime-dir = %q\nstate-dir = %q\n", d.dir+"/sock", d.dir+"/run", d.dir+"/state") + config
	if err := os.WriteFile(d.dir+"/toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts the program, and does not wait until it is in charge.
func (d *mortal) start(t testing.TB) {
	t.Helper()
	d.process = d.host.start(exec.Command(program(t), "--socket", d.dir+"/sock", "run", "--config", d.dir+"/toml"))
}

// awaitInCharge waits until it answers and has e0.
func (d *mortal) awaitInCharge(t testing.TB) {
	t.Helper()
	var out string
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("its status is %s, %v; it wrote:\n%s", out, err, d.process.Output())
		}
	}()
	await(t, "the daemon is in charge", func() bool {
		select {
		case <-d.process.Done():
			t.Fatal("the daemon ended by itself")
		default:
		}
		out, err = d.tool(t.Context(), "status", "--json")
		return err == nil && strings.Contains(out, `"up"`)
	})
}

// tool runs a command of isat, which the daemon may not live to answer.
func (d *mortal) tool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.process.cmd.Path, append([]string{"--socket", d.dir + "/sock"}, args...)...)
	out, err := cmd.Output()
	return string(out), err
}

func (d *mortal) signal(s syscall.Signal) { _ = d.process.Signal(s) }

// TestHostKill kills daemons at random instants. Each time the host can be
// reached and can reach others; and in the end everything can be put back.
//
//	isat 192.0.2.1    e0 ──── e0 192.0.2.2    peer
//	     198.51.100.1 e1 ──── e1 198.51.100.2
func TestHostKill(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill.seed=%d", seed)
	program(t)
	for worker := range killWorkers {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			n := lives() / killWorkers
			if worker < lives()%killWorkers {
				n++
			}
			killMany(t, n, rand.New(rand.NewPCG(seed, uint64(worker))))
		})
	}
}

func killMany(t *testing.T, lives int, random *rand.Rand) {
	need(t, "arping", "ping")
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	n.Veth(isat.End("e1", "02:00:00:00:01:01"), peer.End("e1", "02:00:00:00:01:02"))
	for _, h := range []struct {
		host   *Host
		e0, e1 string
	}{{isat, isatIP, "198.51.100.1"}, {peer, peerIP, "198.51.100.2"}} {
		h.host.Must("ip", "addr", "add", h.e0+"/24", "dev", "e0")
		h.host.Must("ip", "addr", "add", h.e1+"/24", "dev", "e1")
	}
	before := isat.Dump()

	d := &mortal{host: isat, dir: t.TempDir()}
	var slowest time.Duration
	for life := range lives {
		d.configure(t, life%2 == 0)
		d.start(t)
		m := moments[random.IntN(len(moments))]
		if !m.unborn {
			d.awaitInCharge(t)
		}
		after := time.Duration(random.Int64N(int64(m.lasts)))
		if m.begin != nil {
			m.begin(t, d)
		}
		time.Sleep(after)
		_ = d.process.Kill()
		<-d.process.Done()
		d.tools.Wait()
		took := reachable(t, isat, peer, life%4 == 0)
		slowest = max(slowest, took)
		if t.Failed() {
			t.Fatalf("life %d, killed %v after %s; it wrote:\n%s", life, after, m.name, d.process.Output())
		}
	}
	t.Logf("%d lives, slowest answer %v", lives, slowest.Round(time.Millisecond))
	for range 2 {
		if r := isat.Run(program(t), "restore", "--runtime-dir", d.dir+"/run"); r.Code != 0 {
			t.Errorf("isat restore: %+v", r)
		}
	}
	isat.SameDump("after restore", before)
}

// reachable checks that an arping and a cold ping of the peer are answered within
// two seconds, and, with outward, a cold ping to the peer. It returns how long the
// slowest took.
func reachable(t testing.TB, isat, peer *Host, outward bool) (slowest time.Duration) {
	t.Helper()
	check := func(h *Host, args ...string) {
		t.Helper()
		began := time.Now()
		r := h.Run(args...)
		took := time.Since(began)
		slowest = max(slowest, took)
		if r.Code != 0 || took > answerTime {
			t.Errorf("%s: %v took %v: %+v", h.Name, args, took, r)
		}
	}
	check(peer, "arping", "-q", "-f", "-w", "2", "-I", "e0", isatIP)
	for _, way := range []struct {
		from *Host
		to   string
		ask  bool
	}{{peer, isatIP, true}, {isat, peerIP, outward}} {
		if way.ask {
			way.from.Run("ip", "neigh", "del", way.to, "dev", "e0") // it may have none
			check(way.from, "ping", "-q", "-c", "1", "-W", "2", way.to)
		}
	}
	return slowest
}
