package host

import (
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

var (
	ownMAC  = lladdr.MustParse("02:00:00:00:00:01")
	peerMAC = lladdr.MustParse("02:00:00:00:00:02")
)

// nullPort takes every frame and forgets it. It has no lock.
type nullPort struct{}

func (nullPort) ReadFrames([][]byte) (int, error)         { return 0, net.ErrClosed }
func (nullPort) WriteFrames(frames [][]byte) (int, error) { return len(frames), nil }
func (nullPort) Close() error                             { return nil }

// newTestHost returns a host, 10.0.0.1/8 on e0.
func newTestHost(t testing.TB) (*Host, *Interface) {
	t.Helper()
	h := New(Config{})
	ifc, err := h.Attach(InterfaceConfig{
		Name: "e0", Index: 1, MAC: ownMAC, Port: nullPort{},
		Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, ifc
}

// learn gives the host an entry as if its IP side had learned it.
func learnEntry(t testing.TB, h *Host, ip netip.Addr) {
	t.Helper()
	if _, err := h.Set(Change{IP: ip, MAC: peerMAC}); err != nil {
		t.Fatal(err)
	}
}

// mutexes finds every mutex that can be reached from a value, by the path to it.
type mutexes struct {
	found map[string]sync.Locker
	seen  map[unsafe.Pointer]bool
}

func (m *mutexes) walk(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if p := v.UnsafePointer(); p != nil && !m.seen[p] {
			m.seen[p] = true
			m.walk(path, v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() {
			m.walk(path, v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			m.walk(path, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			m.walk(path, v.MapIndex(key))
		}
	case reflect.Struct:
		if v.CanAddr() {
			switch p := reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Interface().(type) {
			case *sync.Mutex:
				m.found[path] = p
				return
			case *sync.RWMutex:
				m.found[path] = p
				return
			}
		}
		for i := range v.NumField() {
			m.walk(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// TestLookupTakesNoLock holds every mutex of the host, those of its events and
// tunables included, and looks up and sends to resolved destinations from
// another goroutine, without an allocation.
func TestLookupTakesNoLock(t *testing.T) {
	h, ifc := newTestHost(t)
	valid, watched, gateway := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("203.0.113.1")
	learnEntry(t, h, valid)
	learnEntry(t, h, watched)
	if err := h.AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: valid}); err != nil {
		t.Fatal(err)
	}
	n, _ := h.routes.LookupOn(ifc.index, watched)
	n.Clones().Publish(route.Key(watched), uint64(cache.MakeWord(cache.Verify, peerMAC)))
	n.Clones().TakeUsed(route.Key(watched))

	m := mutexes{make(map[string]sync.Locker), make(map[unsafe.Pointer]bool)}
	m.walk("host", reflect.ValueOf(h))
	var paths []string
	for path := range m.found {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, want := range []string{"host.mu", "host.events.mu", "host.mib.mu", "host.mib.changes.mu"} {
		if !slices.Contains(paths, want) {
			t.Fatalf("found mutexes %v and not %s", paths, want)
		}
	}
	for _, mu := range m.found {
		mu.Lock()
	}
	packets := [][]byte{ipv4(valid), ipv4(gateway)}
	failed, allocations := 0, 0.0
	done := make(chan struct{})
	go func() { // a deadlock here is the test's failure
		defer close(done)
		allocations = testing.AllocsPerRun(1000, func() {
			for _, ip := range []netip.Addr{valid, watched, gateway} {
				if mac, ok := h.Lookup(ip); !ok || mac != peerMAC {
					failed++
				}
			}
			for _, p := range packets {
				if h.Output(p) != nil {
					failed++
				}
			}
		})
	}()
	<-done
	for _, mu := range m.found {
		mu.Unlock()
	}
	if failed > 0 {
		t.Errorf("%d lookups and packets failed", failed)
	}
	if allocations != 0 && !raceEnabled {
		t.Errorf("%v allocations", allocations)
	}
	if got := len(h.uses); got != 1 {
		t.Errorf("%d notes that the watched entry is in use, want 1", got)
	}
}

// ipv4 is an IPv4 packet of 64 bytes.
func ipv4(to netip.Addr) []byte {
	p := make([]byte, 64)
	p[0] = 0x45
	b := to.As4()
	copy(p[16:20], b[:])
	return p
}
