package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// What the issue demands under load. A machine that does other things delays a
// packet now and then: what is demanded has to hold in one of several attempts,
// and at the first if ISAT_BENCH=1.
const (
	idleDelay  = 5 * time.Millisecond // of a ping, or of a ping to a new neighbour
	busyDelay  = 900 * time.Millisecond
	maxGrowth  = 16 << 20 // bytes of resident memory
	loadedTrys = 5
)

// maxDelay returns how long a ping may take. Where the machine is known to be idle,
// ISAT_BENCH=1, that is what isat promises. Elsewhere other tests run beside, and it is
// what a ping without a repeated request takes at the most, as those come a second apart.
func maxDelay() time.Duration {
	if os.Getenv("ISAT_BENCH") == "1" {
		return idleDelay
	}
	return busyDelay
}

// attempts runs f until it returns true, and fails the test if it never does.
func attempts(t *testing.T, what string, f func() bool) {
	t.Helper()
	n := loadedTrys
	if os.Getenv("ISAT_BENCH") == "1" {
		n = 1
	}
	for range n {
		if f() || t.Failed() {
			return
		}
	}
	t.Errorf("in none of %d attempts %s", n, what)
}

// delays are how long packets took, sorted.
type delays []time.Duration

func (d delays) String() string {
	at := func(q float64) time.Duration {
		return d[min(len(d)-1, int(q*float64(len(d))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d packets: median %v, 99 %% %v, 99.9 %% %v, max %v", len(d), at(0.5), at(0.99), at(0.999), at(1))
}

var pingTime = regexp.MustCompile(`time=([0-9.]+) ms`)

// ping sends count pings at an interval and returns how long each took.
func (h *Host) ping(to string, count int, every time.Duration) delays {
	h.t.Helper()
	out := h.Run("ping", "-c", strconv.Itoa(count), "-i", fmt.Sprint(every.Seconds()), "-W", "2", to).Stdout
	var all delays
	for _, m := range pingTime.FindAllStringSubmatch(out, -1) {
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, time.Duration(ms*float64(time.Millisecond)))
	}
	if len(all) != count {
		h.t.Errorf("%s: %d of %d pings were answered\n%s", h.Name, len(all), count, out[max(0, len(out)-500):])
	}
	slices.Sort(all)
	return all
}

// TestHostFlood sends ten thousand requests from random senders: the daemon's
// memory grows little, and pings meanwhile do not notice.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer (10,000 senders in 10.0.0.0/8)
func TestHostFlood(t *testing.T) {
	isat, peer := NewPair(t)
	need(t, "ping")
	isat.Must("ip", "addr", "add", "10.0.0.1/8", "dev", "e0")
	d := StartISAT(t, isat, standard)
	isat.Must("ping", "-c", "1", peerIP)
	wire := peer.Capture("e0")

	const senders, pings = 10_000, 1000
	attempts(t, fmt.Sprintf("no ping took longer than %v", maxDelay()), func() bool {
		if r := d.Tool("arp", "-d", "-a"); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		isat.Must("ping", "-c", "1", peerIP)
		before, received := rss(t, d.Pid), d.Stats().RxRequests
		done := make(chan delays)
		go func() { done <- peer.ping(isatIP, pings, 2*time.Millisecond) }()
		from := [4]byte{10, 1}
		for i := range senders {
			mac := lladdr.From6([6]byte{2, 0, 0, 0xff, byte(i >> 8), byte(i)})
			from[2], from[3] = byte(i>>8), byte(i)
			wire.Send(request(netip.AddrFrom4(from).String(), mac.String(), isatIP))
			if i%10 == 0 {
				time.Sleep(time.Millisecond) // the senders are many hosts, not one burst
			}
		}
		all := <-done
		await(t, "isat has seen all", func() bool { return d.Stats().RxRequests >= received+senders })
		grown := rss(t, d.Pid) - before
		t.Logf("%v; RSS grew by %.1f MiB; %d entries", all, float64(grown)/(1<<20), len(strings.Split(d.listing("e0"), "\n")))
		if grown > maxGrowth && !raceEnabled {
			t.Errorf("the daemon's memory grew by %d bytes, want %d at most", grown, maxGrowth)
		}
		if n := len(d.Host.Neighbours("e0")); n > 10 {
			t.Errorf("the kernel has %d neighbours, whom it never asked for", n)
		}
		return len(all) > 0 && all[len(all)-1] <= maxDelay()
	})
	wire.drop()
	d.Wire("e0").drop()
}

// TestHostScan sends packets to every address of a /16 behind isat, which forwards:
// the kernel's table does not fill up, and a new neighbour is resolved in no time.
//
//	scanner 192.0.2.2 ──── e0 192.0.2.1 isat e1 10.9.0.1/16 ──── 10.9.1.0 ... inside
func TestHostScan(t *testing.T) {
	need(t, "ping")
	n := NewNet(t)
	isat, scanner, inside := n.Host("isat"), n.Host("scanner"), n.Host("inside")
	n.Veth(isat.End("e0", isatMAC), scanner.End("e0", peerMAC))
	n.Veth(isat.End("e1", "02:00:00:00:01:01"), inside.End("e1", "02:00:00:00:01:02"))
	isat.Must("ip", "addr", "add", "192.0.2.1/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "10.9.0.1/16", "dev", "e1")
	isat.Sysctl("net.ipv4.ip_forward", 1)
	scanner.Must("ip", "addr", "add", "192.0.2.2/24", "dev", "e0")
	scanner.Must("ip", "route", "add", "default", "via", "192.0.2.1")
	inside.Must("ip", "route", "add", "default", "via", "10.9.0.1", "dev", "e1", "onlink")
	const neighbours = 20 // for each attempt
	pause := 50 * time.Millisecond
	if os.Getenv("ISAT_REQUIRE_E2E") == "1" && !raceEnabled {
		pause = (65536 / neighbours) * time.Second / scanRate // the whole /16
	}
	var batch strings.Builder
	for try := range loadedTrys {
		for i := range neighbours {
			fmt.Fprintf(&batch, "addr add 10.9.%d.%d/16 dev e1\n", neighbourRow+try, 10+i)
		}
	}
	if r := inside.RunIn(batch.String(), "ip", "-batch", "-"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	d := StartISAT(t, isat, standard+strings.ReplaceAll(standard, "e0", "e1"))

	try := 0
	attempts(t, fmt.Sprintf("every new neighbour was resolved within %v", maxDelay()), func() bool {
		// The inside knows the way back: it is isat that has to ask.
		inside.Must("ip", "neigh", "replace", "10.9.0.1", "lladdr", "02:00:00:00:01:01", "dev", "e1", "nud", "permanent")
		scan := newScan(t, scanner)
		var all delays
		for i := range neighbours {
			time.Sleep(pause)
			all = append(all, scanner.ping(fmt.Sprintf("10.9.%d.%d", neighbourRow+try, 10+i), 1, time.Second)...)
		}
		try++
		sent, rate := scan.stop()
		slices.Sort(all)
		if len(all) != neighbours {
			return false // ping has said so
		}
		t.Logf("new neighbours: %v; scanned %d addresses, %.0f/s", all, sent, rate)
		return all[len(all)-1] <= maxDelay()
	})
	e1 := 0
	if s, err := d.API.Status(t.Context()); err == nil {
		for _, i := range s.Interfaces {
			if i.Name == "e1" {
				e1 = i.Entries
			}
		}
	}
	if e1 > 66_000 {
		t.Errorf("isat has %d entries on e1", e1)
	}
	d.Wire("e0").drop()
	d.Wire("e1").drop()
}

// scan sends UDP packets to the addresses of 10.9.0.0/16, one after the other.
type scan struct {
	stopped, ended chan struct{}
	sent           int
	took           time.Duration
}

// neighbourRow is the third byte of the neighbours' addresses at the first attempt.
const neighbourRow = 200

func newScan(t *testing.T, h *Host) *scan {
	t.Helper()
	var socket int
	if err := h.NS.Do(func() (err error) {
		socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s := &scan{stopped: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer unix.Close(socket)
		began := time.Now()
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.stopped:
				s.took = time.Since(began)
				return
			case <-tick.C:
			}
			// What a late tick missed is sent at once, but no burst of it.
			due := min(int(time.Since(began).Seconds()*scanRate), s.sent+100)
			for ; s.sent < due; s.sent++ {
				third := byte(s.sent >> 8)
				if third >= neighbourRow && third < neighbourRow+loadedTrys {
					continue // the neighbours' own
				}
				to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 9, third, byte(s.sent)}}
				_ = unix.Sendto(socket, []byte{0}, 0, to) // ICMP errors of earlier ones
			}
		}
	}()
	return s
}

func (s *scan) stop() (sent int, rate float64) {
	close(s.stopped)
	<-s.ended
	return s.sent, float64(s.sent) / s.took.Seconds()
}

// drop forgets the frames that were captured, which are too many to be looked at,
// but for the first thousand.
func (c *Capture) drop() {
	c.Frames()
	c.lost() // reading it starts it anew
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = c.frames[:min(len(c.frames), 1000)]
	c.claims = "there are thousands of senders"
}
