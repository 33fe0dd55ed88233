package route

import "testing"

// The read path takes memory from nobody.
func TestLookupAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates; the plain run of the tests counts")
	}
	tab, n, keys := filled(t, 1000)
	gw := via("192.0.2.0/24", 1, "10.0.0.1")
	add(t, tab, gw)
	for _, tt := range []struct {
		name string
		read func(key uint32)
	}{
		{"Lookup", func(key uint32) {
			nw, _ := tab.Lookup(address(key))
			s := nw.Clones().Find(key)
			s.MarkUsed()
			benchSink += s.Word()
		}},
		{"LookupOn", func(key uint32) {
			nw, _ := tab.LookupOn(1, address(key))
			benchSink += nw.Clones().Find(Key(address(key))).Word()
		}},
		{"NextHop", func(uint32) {
			hop, _ := tab.NextHop(addr192)
			benchSink += uint64(Key(hop.Addr))
		}},
		{"NextHopOn", func(uint32) {
			hop, _ := tab.NextHopOn(1, addr192)
			benchSink += uint64(Key(hop.Addr))
		}},
		{"miss", func(key uint32) {
			if n.Clones().Find(^key) != nil {
				t.Error("found an address that is not there")
			}
		}},
	} {
		i := 0
		if got := testing.AllocsPerRun(len(keys)-1, func() { tt.read(keys[i]); i++ }); got != 0 {
			t.Errorf("%s allocates %v times", tt.name, got)
		}
	}
}

var addr192 = address(192<<24 | 2<<8 | 9)
