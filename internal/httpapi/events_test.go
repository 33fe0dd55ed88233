package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

var eventTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// add appends n events.
func add(r *event.Ring, n int) {
	for range n {
		r.Append(event.Event{Time: eventTime, Type: event.Added, Interface: "eth0", IP: ip4(9)})
	}
}

func follow(t *testing.T, r *running, since api.Position) *api.EventStream {
	t.Helper()
	s, err := r.client.Events(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func next(t *testing.T, s *api.EventStream) api.Event {
	t.Helper()
	e, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEventForm(t *testing.T) {
	r := start(t, member)
	a, err := r.http.Get("http://isat/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if got := a.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type is %q", got)
	}
	r.ring.Append(event.Event{
		Time: eventTime, Type: event.Moved, Interface: "eth0", IP: ip4(9), MAC: lladdr.MustParse("2:0:0:0:0:a"), OldMAC: lladdr.MustParse("2:0:0:0:0:b"),
		Severity: event.Info, Message: "arp: <moved>",
	})
	lines := bufio.NewReader(a.Body)
	line, err := lines.ReadString('\n')
	want := `{"instance":"test","seq":1,"time":"2026-01-02T03:04:05Z","type":"moved","interface":"eth0","ip":"192.0.2.9",` +
		`"mac":"02:00:00:00:00:0a","old_mac":"02:00:00:00:00:0b","severity":6,"message":"arp: <moved>"}` + "\n"
	if err != nil || line != want {
		t.Errorf("got  %s%v\nwant %s", line, err, want)
	}
	r.ring.Append(event.Event{Time: eventTime, Type: event.Overrun})
	if line, err = lines.ReadString('\n'); err != nil || line != `{"instance":"test","seq":2,"time":"2026-01-02T03:04:05Z","type":"overrun"}`+"\n" {
		t.Errorf("got %s, %v", line, err)
	}
}

// Without a position the stream begins now, and now is before the header is out.
func TestEventsFromNow(t *testing.T) {
	r := start(t, root)
	add(r.ring, 5)
	s := follow(t, r, api.Position{})
	add(r.ring, 1)
	if e := next(t, s); e.Seq != 6 {
		t.Errorf("the first event is %d, want 6", e.Seq)
	}
}

func TestEventsSince(t *testing.T) {
	r := start(t, root)
	add(r.ring, 5)
	s := follow(t, r, api.Position{Instance: "test", Seq: 3})
	for want := uint64(4); want <= 5; want++ {
		if e := next(t, s); e.Seq != want || e.Position().Instance != "test" {
			t.Errorf("got %v, want %d", e.Position(), want)
		}
	}
	if s := follow(t, r, api.Position{Instance: "test"}); next(t, s).Seq != 1 {
		t.Error("from 0 on is not from the first on")
	}
	_, err := r.client.Events(t.Context(), api.Position{Instance: "test", Seq: 6})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a position to come: %v", err)
	}
}

func TestEventsAfterRestart(t *testing.T) {
	r := start(t, root)
	add(r.ring, 2)
	s := follow(t, r, api.Position{Instance: "before", Seq: 99})
	if e := next(t, s); e.Type != api.EventLost || e.Seq != 0 || e.Instance != "test" || e.Time.IsZero() || !strings.Contains(e.Message, "before:99") {
		t.Errorf("the first event is %+v", e)
	}
	if e := next(t, s); e.Seq != 1 || e.Type != "added" {
		t.Errorf("the second event is %+v", e)
	}
}

func TestLostEvents(t *testing.T) {
	r := start(t, root)
	add(r.ring, 1024+100) // the ring holds 1024
	s := follow(t, r, api.Position{Instance: "test", Seq: 30})
	if e := next(t, s); e.Type != api.EventLost || e.Count != 70 || e.Seq != 100 {
		t.Errorf("the first event is %+v, want 70 lost up to 100", e)
	}
	if e := next(t, s); e.Seq != 101 {
		t.Errorf("then comes %d, want 101", e.Seq)
	}
}

// A reader that stops reading loses events, is told how many, and holds up
// nobody: neither the ring nor another reader.
func TestSlowReader(t *testing.T) {
	r := start(t, root)
	slow, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(slow, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	// Its body is not closed: that would read it to an end which never comes.
	fast := follow(t, r, api.Position{})
	const total = 50_000 // some megabytes: more than the socket holds
	go func() {
		for range total / 100 {
			add(r.ring, 100)
			time.Sleep(100 * time.Microsecond) // or nobody could follow
		}
	}()
	for seen := uint64(0); seen < total; {
		e := next(t, fast)
		if e.Type == api.EventLost && e.Seq != seen+e.Count || e.Type != api.EventLost && e.Seq != seen+1 {
			t.Fatalf("after %d comes %+v", seen, e)
		}
		seen = e.Seq
	}
	// Now the slow one reads: without a gap but what it is told of.
	d := jsonEvents(answer.Body)
	var seen, lost uint64
	for seen < total {
		e := d(t)
		if e.Type == api.EventLost {
			lost += e.Count
			seen += e.Count
		} else {
			seen++
		}
		if e.Seq != seen {
			t.Fatalf("after %d comes %+v", seen, e)
		}
	}
	if lost == 0 {
		t.Error("nothing was lost: the test tests nothing")
	}
}

// The events of the end are still sent, and the stream ends.
func TestEventsEndWithServer(t *testing.T) {
	r := start(t, root)
	s := follow(t, r, api.Position{})
	add(r.ring, 3000/4) // more than one batch
	r.stop()
	n := 0
	for e, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if e.Seq != uint64(n) {
			t.Fatalf("event %d is %d", n, e.Seq)
		}
	}
	if n != 750 {
		t.Errorf("%d events, want 750", n)
	}
}

// A reader that does not read does not keep the server from ending.
func TestStopWithSlowReader(t *testing.T) {
	r := start(t, root)
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/events?since=test:0 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			add(r.ring, 1000)
			time.Sleep(time.Millisecond)
		}
	}()
	<-done
	r.stop() // hangs if not
}

func TestStopWithResolve(t *testing.T) {
	r := start(t, root)
	waits := make(chan struct{})
	r.fake.resolve = func(ctx context.Context) error { close(waits); <-ctx.Done(); return ctx.Err() }
	failed := make(chan error, 1)
	go func() {
		_, err := r.client.Resolve(context.Background(), ip4(9), "", time.Hour)
		failed <- err
	}()
	<-waits
	r.stop()
	if err := <-failed; !errors.Is(err, syscall.ESHUTDOWN) {
		t.Errorf("got %v", err)
	}
}

// The reader's end ends the handler: goleak in TestMain and Shutdown see to it.
func TestReaderLeaves(t *testing.T) {
	r := startAs(t, func(net.Conn) (Credentials, error) { return root, nil }, filepath.Join(t.TempDir(), "s"))
	s := follow(t, r, api.Position{})
	s.Close()
	add(r.ring, 10)
	r.stop()
}
