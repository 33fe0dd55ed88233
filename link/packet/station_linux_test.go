package packet_test

import (
	"testing"

	"github.com/isat-project/isat/link/packet"
)

// A connection hears what is for its station, and still not what is for others.
func TestStation(t *testing.T) {
	for _, ip := range []bool{false, true} {
		c := newCable(t)
		b := listen(t, c.b, packet.Options{Station: macOther, IP: ip})
		a := listen(t, c.a, packet.Options{})
		write(t, a, frame(macA, noTag, typeARP, 1), frame(macOther, noTag, typeARP, 2), frame(macB, noTag, typeARP, 3))
		for i, f := range read(t, b, 2) {
			if got := numberOf(f); got != i+2 {
				t.Errorf("frame %d, want %d", got, i+2)
			}
		}
		if st := b.Stats(); st.OtherHost != 1 {
			t.Errorf("%d frames for others, want 1", st.OtherHost)
		}
	}
}
