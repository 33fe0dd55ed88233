package route

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchSink keeps the compiler from dropping what is measured.
var benchSink uint64

// filled returns a table with 10.0.0.0/8 on interface 1 and n clones at random
// addresses in it, and their keys in another order.
func filled(tb testing.TB, n int) (*Table[int], *Network[int], []uint32) {
	tab := New(func(Message[int]) {})
	nw, err := tab.Add(onLink("10.0.0.0/8", 1))
	if err != nil {
		tb.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([]uint32, 0, n)
	for len(keys) < n {
		key := 10<<24 | rng.Uint32()>>8
		if nw.Clones().Find(key) != nil {
			continue
		}
		a := address(key)
		if err := nw.Clone(a, new(int), 0); err != nil {
			tb.Fatal(err)
		}
		nw.Clones().Publish(key, wordOf(key))
		keys = append(keys, key)
	}
	rng.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return tab, nw, keys
}

// wordOf is the word that tests publish for key: it tells whose it is.
func wordOf(key uint32) uint64 { return uint64(key)<<32 | uint64(^key) }

// BenchmarkLookup is what the read path does for a packet to a random one of n
// known addresses: from the address to the published word, and the mark of use.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 1 << 16, 1_000_000} {
		b.Run(fmt.Sprintf("clones=%d", n), func(b *testing.B) {
			tab, nw, keys := filled(b, n)
			b.Run("table", func(b *testing.B) {
				i := 0
				for b.Loop() {
					a := address(keys[i])
					if i++; i == len(keys) {
						i = 0
					}
					on, _ := tab.Lookup(a)
					s := on.Clones().Find(Key(a))
					s.MarkUsed()
					benchSink += s.Word()
				}
			})
			b.Run("interface", func(b *testing.B) {
				i := 0
				for b.Loop() {
					a := address(keys[i])
					if i++; i == len(keys) {
						i = 0
					}
					on, _ := tab.LookupOn(1, a)
					s := on.Clones().Find(Key(a))
					s.MarkUsed()
					benchSink += s.Word()
				}
			})
			b.Run("clones", func(b *testing.B) {
				i := 0
				for b.Loop() {
					a := address(keys[i])
					if i++; i == len(keys) {
						i = 0
					}
					benchSink += nw.Clones().Find(Key(a)).Word()
				}
			})
		})
	}
}

// BenchmarkMiss searches addresses that have no clone.
func BenchmarkMiss(b *testing.B) {
	for _, n := range []int{1 << 16, 1_000_000} {
		b.Run(fmt.Sprintf("clones=%d", n), func(b *testing.B) {
			_, nw, _ := filled(b, n)
			key := uint32(11 << 24)
			for b.Loop() {
				if nw.Clones().Find(key) != nil {
					b.Fatal("found an address that is not there")
				}
				key++
			}
		})
	}
}

// BenchmarkInsert adds n clones to an empty network, rebuilds included.
func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{1 << 16, 1_000_000} {
		b.Run(fmt.Sprintf("clones=%d", n), func(b *testing.B) {
			e := new(int)
			for b.Loop() {
				c := newClones[int]()
				for i := range n {
					c.insert(uint32(10<<24+i), Clone[int]{Entry: e})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/clone")
		})
	}
}

// BenchmarkRebuild is the longest that one insertion holds the writer up.
func BenchmarkRebuild(b *testing.B) {
	for _, n := range []int{1 << 16, 1_000_000} {
		b.Run(fmt.Sprintf("clones=%d", n), func(b *testing.B) {
			_, nw, _ := filled(b, n)
			for b.Loop() {
				nw.Clones().rebuild(n)
			}
		})
	}
}

// BenchmarkAddNetwork adds and deletes a network beside a thousand others.
func BenchmarkAddNetwork(b *testing.B) {
	tab := New(func(Message[int]) {})
	for i := range 1000 {
		if _, err := tab.Add(onLink(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), 1+i%10)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n, err := tab.Add(onLink("192.0.2.0/24", 3))
		if err != nil {
			b.Fatal(err)
		}
		if err := tab.Delete(n); err != nil {
			b.Fatal(err)
		}
	}
}
