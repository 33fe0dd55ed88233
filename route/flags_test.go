package route

import "testing"

// The rows are those of facts/freebsd-arp.md 2.5 ("Typical rows").
func TestFlagsString(t *testing.T) {
	for _, tt := range []struct {
		flags Flags
		want  string
	}{
		{0, ""},
		{Up | Cloning, "UC"},
		{Up | Gateway | Static, "UGS"},
		{(Up | Cloning | Static).ofClone(0), "UHLW"},
		{(Up | Cloning).ofClone(Static), "UHLS"},
		{(Up | Cloning).ofClone(Static | Announce), "ULS2"},
		{(Up | Cloning).ofClone(Broadcast), "UHLWb"},
		{(Up | Cloning).ofClone(Local | Pinned), "UHLW"},
		{(Up | Cloning | Proto1).ofClone(0), "UHL1W"},
		{Local | Multicast | Pinned, ""},
		{^Flags(0), "UGHRDMdCXLS12Wc3Bb"},
	} {
		if got := tt.flags.String(); got != tt.want {
			t.Errorf("flags %#x: %q, want %q", uint32(tt.flags), got, tt.want)
		}
	}
}

func TestMessageTypeString(t *testing.T) {
	for typ, want := range map[MessageType]string{
		Add: "add", Delete: "delete", Change: "change", Miss: "miss", Resolve: "resolve", 200: "type 200",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d: %q, want %q", uint8(typ), got, want)
		}
	}
}
