package event

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestNextWaits also shows that a ring works in a synctest bubble: time passes
// only while everybody waits.
func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing("a", 10)
		start := time.Now()
		for range 3 { // all readers are woken
			go func() {
				reader := ring.Reader(0)
				for n := range uint64(2) {
					e, err := reader.Next(t.Context())
					if err != nil || e.Seq != n+1 {
						t.Errorf("event %d, %v, want event %d", e.Seq, err, n+1)
					}
					if got, want := time.Since(start), time.Duration(n+1)*time.Hour; got != want {
						t.Errorf("event %d after %v, want %v", e.Seq, got, want)
					}
				}
			}()
		}
		for range 2 {
			time.Sleep(time.Hour)
			ring.Append(at(0))
		}
		synctest.Wait()
	})
}

// TestNextBeyond starts behind the newest event: what comes before is not seen.
func TestNextBeyond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing("a", 10)
		ring.Append(at(1))
		got := make(chan Event, 1)
		go func() {
			e, err := ring.Reader(3).Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- e
		}()
		for range 2 { // numbers 2 and 3
			ring.Append(at(0))
			synctest.Wait()
			if len(got) != 0 {
				t.Fatalf("read event %d, want those after 3", (<-got).Seq)
			}
		}
		ring.Append(at(0))
		if e := <-got; e.Seq != 4 {
			t.Errorf("read event %d, want 4", e.Seq)
		}
		if e, ok := ring.Reader(math.MaxUint64).TryNext(); ok {
			t.Errorf("read %+v after the greatest number", e)
		}
	})
}

func TestNextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := NewRing("a", 10)
		reader := ring.Reader(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := reader.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want that of the context", err)
		}
		ring.Append(at(1))
		if _, err := reader.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v with an event there, want that of the context", err)
		}
		if e, ok := reader.TryNext(); !ok || e.Seq != 1 {
			t.Errorf("read %+v, %v: the event must still be there", e, ok)
		}
	})
}

// TestOvertaken has a reader that stops in the middle and comes back too late.
func TestOvertaken(t *testing.T) {
	ring := NewRing("a", 4)
	reader := ring.Reader(0)
	ring.Append(at(1))
	if e, err := reader.Next(t.Context()); err != nil || e.Seq != 1 {
		t.Fatal(e, err)
	}
	for n := range uint64(7) { // 2 to 8, of which 5 to 8 are kept
		ring.Append(at(n + 2))
	}
	e, err := reader.Next(t.Context())
	if err != nil || e.Type != Lost || e.Count != 3 || e.Seq != 4 || !e.Time.Equal(time.Unix(5, 0)) {
		t.Errorf("%+v, %v, want the loss of 2 to 4 at the time of 5", e, err)
	}
	// Going on from the number of the loss misses nothing, nor tells it again.
	for _, r := range []*Reader{reader, ring.Reader(e.Seq), ring.ReaderSince(reader.Position())} {
		events := drain(r)
		if len(events) != 4 || events[0].Seq != 5 || events[0].Type != Added {
			t.Errorf("then %+v, want 5 to 8", events)
		}
	}
}

func TestReaderSince(t *testing.T) {
	ring := NewRing("new", 3)
	type step struct {
		seq, count uint64
		typ        Type
	}
	check := func(name string, p Position, want ...step) {
		t.Helper()
		var got []step
		for _, e := range drain(ring.ReaderSince(p)) {
			got = append(got, step{e.Seq, e.Count, e.Type})
			if (e.Type == Lost) != (e.Message != "") {
				t.Errorf("%s: message %q of %v", name, e.Message, e.Type)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: read %v, want %v", name, got, want)
			return
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: read %v, want %v", name, got, want)
			}
		}
	}
	// The loss is told at once, even if there is nothing to follow yet.
	check("other instance, empty ring", Position{"old", 7}, step{0, 0, Lost})
	check("none, empty ring", Position{})

	ring.Append(at(1))
	ring.Append(at(2))
	check("other instance", Position{"old", 7}, step{0, 0, Lost}, step{1, 1, Added}, step{2, 2, Added})
	check("none", Position{}, step{1, 1, Added}, step{2, 2, Added})
	check("same instance", Position{"new", 1}, step{2, 2, Added})
	check("at the end", Position{"new", 2})
	check("beyond the end", Position{"new", 9})

	ring.Append(at(3))
	ring.Append(at(4))
	check("other instance, overwritten", Position{"old", 7}, step{1, 1, Lost}, step{2, 2, Added}, step{3, 3, Added}, step{4, 4, Added})
	check("none, overwritten", Position{}, step{1, 1, Lost}, step{2, 2, Added}, step{3, 3, Added}, step{4, 4, Added})

	e, _ := ring.ReaderSince(Position{"old", 7}).TryNext()
	if want := "arp: events after old:7 are not known: this is instance new"; e.Message != want {
		t.Errorf("message %q, want %q", e.Message, want)
	}
}
