package acd

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/mib"
)

// crowd is many addresses on one interface, with the one timer structure that a
// host has for them.
type crowd struct {
	ifc       *Interface
	addresses []Address
	timers    *deadline.Queue[int]
	timer     []deadline.Timer[int]
	effects   []Effect
}

func newCrowd(n int) *crowd {
	config := mib.New().Settings("").ACD
	c := &crowd{ifc: NewInterface(start, &config, macs{ours}, rand.NewPCG(3, 4)), timers: deadline.New[int](start)}
	c.ifc.SetLink(true)
	c.addresses, c.timer = make([]Address, n), make([]deadline.Timer[int], n)
	for i := range c.addresses {
		c.addresses[i] = New(c.ifc, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Policy{})
		c.timer[i].Value = i
	}
	return c
}

// give hands address i an input, and all that comes of it to do.
func (c *crowd) give(now time.Time, i int, in Input, do func(i int, e Effect)) {
	c.effects = c.addresses[i].Handle(now, in, c.effects[:0])
	for _, e := range c.effects {
		do(i, e)
	}
	c.timers.Set(&c.timer[i], c.addresses[i].Deadline())
}

// run ticks up to the end and returns when the last tick was.
func (c *crowd) run(end time.Time, do func(now time.Time, i int, e Effect)) (last time.Time) {
	for {
		now, ok := c.timers.Next()
		if !ok || now.After(end) {
			return last
		}
		for {
			i, ok := c.timers.Pop(now)
			if !ok {
				break
			}
			last = now
			c.give(now, i, Input{Kind: Tick}, func(i int, e Effect) { do(now, i, e) })
		}
	}
}

// meter checks that frames are no more than may leave in any second.
type meter struct {
	t     *testing.T
	times []time.Time // of the last frames, a ring
	n     int
}

func (m *meter) frame(now time.Time) {
	if m.times == nil {
		m.times = make([]time.Time, FramesPerSecond)
	}
	before := &m.times[m.n%FramesPerSecond]
	if !before.IsZero() && now.Sub(*before) < time.Second {
		m.t.Fatalf("%d frames in %v", FramesPerSecond+1, now.Sub(*before))
	}
	*before = now
	m.n++
}

// TestTenThousandInquiries take the time of one and what the frames need, and
// each keeps the spacing of RFC 5227.
func TestTenThousandInquiries(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	probes, last, free := make([]int, n), make([]time.Time, n), 0
	frames := meter{t: t}
	var widest time.Duration
	do := func(now time.Time, i int, e Effect) {
		switch e.Action {
		case Free:
			free++
			if now.Sub(last[i]) != AnnounceWait || probes[i] != ProbeNum {
				t.Fatalf("address %d is free %v after the last of %d probes", i, now.Sub(last[i]), probes[i])
			}
		case Probe:
			frames.frame(now)
			if probes[i] > 0 {
				gap := now.Sub(last[i])
				if gap < ProbeMin {
					t.Fatalf("address %d: %v between two probes", i, gap)
				}
				widest = max(widest, gap)
			}
			probes[i]++
			last[i] = now
		}
	}
	for i := range n {
		c.give(start, i, Input{Kind: Inquire}, func(i int, e Effect) { do(start, i, e) })
	}
	took := c.run(start.Add(time.Hour), do).Sub(start)
	const one = ProbeWait + 2*ProbeMax + AnnounceWait
	if all := one + n*ProbeNum*slotLength; took > all {
		t.Errorf("it took %v, more than %v", took, all)
	}
	// The gates delay a frame of a train by little: it keeps its spacing.
	if widest > ProbeMax+100*time.Millisecond {
		t.Errorf("%v between two probes", widest)
	}
	if free != n {
		t.Errorf("%d of %d are free", free, n)
	}
	t.Logf("%d inquiries in %v, %d frames, at most %v between two probes", n, took, frames.n, widest)
}

// TestTenThousandLate has an owner whose ticks come late, now and then by as much as
// maxLate: that costs no slots, so the trains behind keep their spacing.
// Afterwards it sends together what had its slots, and what has them by then.
func TestTenThousandLate(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	var frames, first int
	var widest time.Duration
	var times []time.Time
	last := make([]time.Time, n)
	probe := func(now time.Time, i int) {
		if !last[i].IsZero() {
			widest = max(widest, now.Sub(last[i]))
		}
		last[i] = now
		frames++
		times = append(times, now)
		for now.Sub(times[first]) >= time.Second {
			first++
		}
		if most := FramesPerSecond + int(2*maxLate/slotLength); frames-first > most {
			t.Fatalf("%d frames in a second, want %d at most", frames-first, most)
		}
	}
	do := func(now time.Time) func(int, Effect) {
		return func(i int, e Effect) {
			if e.Action == Probe {
				probe(now, i)
			}
		}
	}
	for i := range n {
		c.give(start, i, Input{Kind: Inquire}, do(start))
	}
	late := rand.New(rand.NewPCG(5, 6))
	for {
		now, ok := c.timers.Next()
		if !ok {
			break
		}
		if late.IntN(500) == 0 { // some four times a second
			now = now.Add(time.Duration(late.Int64N(int64(maxLate))))
		}
		for {
			i, ok := c.timers.Pop(now)
			if !ok {
				break
			}
			c.give(now, i, Input{Kind: Tick}, do(now))
		}
	}
	if frames != 3*n {
		t.Errorf("%d probes, want %d", frames, 3*n)
	}
	if widest > ProbeMax+maxLate+20*time.Millisecond { // late itself, and not once more by those before it
		t.Errorf("%v between two probes", widest)
	}
	t.Logf("at most %v between two probes", widest)
}

// TestTenThousandAddresses are probed, verified and announced at the pace of the
// interface, and their announcements are never nearer than publish_interval.
func TestTenThousandAddresses(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	frames, last, verified := meter{t: t}, make([]time.Time, n), 0
	do := func(now time.Time, i int, e Effect) {
		switch e.Action {
		case Use:
			verified++
		case Announce:
			if !last[i].IsZero() && now.Sub(last[i]) < c.ifc.Config.PublishInterval {
				t.Fatalf("address %d: %v between two announcements", i, now.Sub(last[i]))
			}
			last[i] = now
			frames.frame(now)
		case Probe:
			frames.frame(now)
		}
	}
	for i := range n {
		c.give(start, i, Input{Kind: Assign}, func(i int, e Effect) { do(start, i, e) })
	}
	c.run(start.Add(2*time.Minute), do)
	if want := n * (3 + 5); verified != n || frames.n != want {
		t.Errorf("%d verified with %d frames, want %d", verified, frames.n, want)
	}
	// All lose and get the link at once.
	again := start.Add(3 * time.Minute)
	for i := range n {
		c.give(again, i, Input{Kind: LinkUp}, func(i int, e Effect) { do(again, i, e) })
	}
	c.run(again.Add(2*time.Minute), do)
	if want := 2 * n * (3 + 5); frames.n != want {
		t.Errorf("%d frames after the link came back, want %d", frames.n, want)
	}
}

// TestFlappingLink: what was to be sent when the link went does not delay what is
// to be sent when it is back.
func TestFlappingLink(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	verified := 0
	do := func(_ time.Time, _ int, e Effect) {
		if e.Action == Use {
			verified++
		}
	}
	for i := range n {
		c.give(start, i, Input{Kind: Assign}, func(int, Effect) {})
	}
	now := start
	for range 20 {
		now = now.Add(3 * time.Second)
		c.run(now, do)
		c.ifc.SetLink(false)
		now = now.Add(time.Second)
		c.ifc.SetLink(true)
		for i := range n {
			c.give(now, i, Input{Kind: LinkUp}, func(int, Effect) {})
		}
	}
	if verified != 0 {
		t.Fatalf("%d are verified in less than it takes", verified)
	}
	c.run(now.Add(7*time.Second+n*3*slotLength), do)
	if verified != n {
		t.Errorf("%d of %d are verified", verified, n)
	}
	c.run(now.Add(5*time.Minute), do)
	if c.ifc.pacer.waiting != 0 {
		t.Errorf("%d trains wait in the end", c.ifc.pacer.waiting)
	}
}

// TestFlappingLinkInUse: the same with addresses that are announced at once.
func TestFlappingLinkInUse(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	for i := range n {
		c.give(start, i, Input{Kind: Adopt}, func(int, Effect) {})
	}
	now := start.Add(time.Minute)
	c.run(now, func(time.Time, int, Effect) {})
	announced := 0
	for range 5 {
		announced = 0
		c.ifc.SetLink(false)
		now = now.Add(time.Second)
		c.ifc.SetLink(true)
		for i := range n {
			c.give(now, i, Input{Kind: LinkUp}, func(_ int, e Effect) {
				if e.Action == Announce {
					announced++
				}
			})
		}
	}
	// All have been announced once, counting those that follow.
	const once = n * 5 * slotLength
	c.run(now.Add(once+time.Second), func(_ time.Time, _ int, e Effect) {
		if e.Action == Announce && e.Cause == AnnounceDue {
			announced++
		}
	})
	if announced < n {
		t.Errorf("%d announcements in %v, want those of %d addresses", announced, once, n)
	}
}

// TestTrains: what a train is counted for when it begins.
func TestTrains(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   State
		how    func(*bench)
		frames int
	}{
		{"probes", Probing, due, 3},
		{"the second probe", Probing, func(b *bench) { due(b); b.ifc.pacer.train = never; due(b) }, 0},
		{"announcements", None, trust, 5},
		{"one announcement", None, adopt, 1},
		{"the second announcement", Announcing, due, 0},
		{"announcements with those that follow the probes", Verified, linkUp, 5},
		{"a periodic announcement", Verified, due, 1},
		{"a defence", Verified, heard, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := in(t, tt.from)
			b.ifc.pacer.train = never
			tt.how(b)
			want := never
			if tt.frames > 0 {
				want = b.ifc.moment(b.now).after(time.Duration(tt.frames) * slotLength)
			}
			if got := b.ifc.pacer.train; got != want {
				t.Errorf("the next train may begin at %d, want %d", got, want)
			}
		})
	}
}

// TestCancelledInquiries do not delay others.
func TestCancelledInquiries(t *testing.T) {
	const n = 10_000
	c := newCrowd(n)
	now := start
	for range 3 {
		for i := range n {
			c.give(now, i, Input{Kind: Inquire}, func(int, Effect) {})
		}
		now = now.Add(2 * time.Second)
		c.run(now, func(time.Time, int, Effect) {})
		for i := range n {
			c.give(now, i, Input{Kind: Release}, func(int, Effect) {})
		}
	}
	c.give(now, 0, Input{Kind: Inquire}, func(int, Effect) {})
	if took := c.run(now.Add(time.Hour), func(time.Time, int, Effect) {}).Sub(now); took > 7*time.Second {
		t.Errorf("one inquiry after them takes %v", took)
	}
}

// TestDefenceDoesNotQueue: an address is defended while ten thousand others wait
// for their first probe.
func TestDefenceDoesNotQueue(t *testing.T) {
	const n = 10_000
	c := newCrowd(n + 1)
	c.give(start, n, Input{Kind: Adopt}, func(int, Effect) {})
	for i := range n {
		c.give(start.Add(time.Second), i, Input{Kind: Assign}, func(int, Effect) {})
	}
	c.run(start.Add(3*time.Second), func(time.Time, int, Effect) {})
	now := start.Add(3 * time.Second)
	p := claim
	p.SenderIP, p.TargetIP = c.addresses[n].IP(), c.addresses[n].IP()
	var defended time.Time
	note := func(now time.Time, i int, e Effect) {
		if i == n && e.Action == Announce && e.Cause == DefenceDue {
			defended = now
		}
	}
	c.give(now, n, Input{Kind: Hear, Packet: p}, func(i int, e Effect) { note(now, i, e) })
	c.run(now.Add(time.Second), note)
	if d := defended.Sub(now); defended.IsZero() || d > 100*time.Millisecond {
		t.Errorf("defended after %v", d)
	}
}

// TestSize: what ten thousand addresses cost.
func TestSize(t *testing.T) {
	if size := unsafe.Sizeof(Address{}); size > 96 {
		t.Errorf("an address takes %d bytes", size)
	}
	if size := unsafe.Sizeof(Effect{}); size > 32 {
		t.Errorf("an effect takes %d bytes", size)
	}
}

func BenchmarkTenThousandInquiries(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := newCrowd(10_000)
		for i := range c.addresses {
			c.give(start, i, Input{Kind: Inquire}, func(int, Effect) {})
		}
		c.run(start.Add(time.Hour), func(time.Time, int, Effect) {})
	}
	b.ReportMetric(float64(unsafe.Sizeof(Address{})), "B/address")
}
