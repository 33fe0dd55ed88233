package deadline

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQueueModel compares the queue with a list that is searched.
func TestQueueModel(t *testing.T) {
	base := time.Unix(1000, 0)
	rapid.Check(t, func(t *rapid.T) {
		q := New[int](base)
		timers := make([]Timer[int], 16)
		for i := range timers {
			timers[i].Value = i
		}
		model := map[int]time.Time{}
		now := base
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
				when := base.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "when")))
				q.Set(&timers[i], when)
				model[i] = when
			},
			"unset": func(t *rapid.T) {
				i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
				if rapid.Bool().Draw(t, "by time") {
					q.Set(&timers[i], time.Time{})
				} else {
					q.Remove(&timers[i])
				}
				delete(model, i)
			},
			"pop": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "step")))
				var got, want []int
				last := time.Time{}
				for {
					i, ok := q.Pop(now)
					if !ok {
						break
					}
					if model[i].Before(last) {
						t.Fatalf("timer %d of %v came after one of %v", i, model[i], last)
					}
					last = model[i]
					got = append(got, i)
				}
				for i, when := range model {
					if !when.After(now) {
						want = append(want, i)
						delete(model, i)
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("popped %v, want %v", got, want)
				}
			},
			"": func(t *rapid.T) {
				if q.Len() != len(model) {
					t.Fatalf("length %d, want %d", q.Len(), len(model))
				}
				next, ok := q.Next()
				if ok != (len(model) > 0) {
					t.Fatalf("Next says %v with %d timers", ok, len(model))
				}
				for _, when := range model {
					if when.Before(next) {
						t.Fatalf("Next is %v, a timer is due at %v", next, when)
					}
				}
			},
		})
	})
}

func BenchmarkQueueSetLater(b *testing.B) {
	base := time.Unix(0, 0)
	q := New[int](base)
	timers := make([]Timer[int], 1<<20)
	for i := range timers {
		q.Set(&timers[i], base.Add(time.Duration(i)))
	}
	later := base.Add(time.Hour)
	for i := 0; b.Loop(); i++ {
		q.Set(&timers[i&(1<<20-1)], later)
	}
}
