package event

import (
	"strings"
	"testing"
)

// interfaces5 is the list of event types in INTERFACES section 5, to the letter.
const interfaces5 = `added resolved validated moved changed deleted
expired unanswered missed conflict defended duplicate recovered announced probing verified wrong_interface permanent_modify broadcast_sender malformed proxied proxy_refused
ignored lost overrun suppressed link_up link_down interface_failed interface_repaired group_failed group_repaired rebound offline online activated deactivated nominee taken_over handed_back
route_add route_delete route_change route_resolve route_miss send_failed`

func TestTypeNames(t *testing.T) {
	names := strings.Fields(interfaces5)
	if len(names) != int(numTypes)-1 {
		t.Errorf("%d types, want %d", numTypes-1, len(names))
	}
	for i, name := range names {
		typ := Type(i + 1)
		if typ.String() != name {
			t.Errorf("type %d is %q, want %q", i+1, typ, name)
		}
		text, err := typ.MarshalText()
		if err != nil || string(text) != name {
			t.Errorf("MarshalText: %q, %v, want %q", text, err, name)
		}
		var back Type
		if err := back.UnmarshalText(text); err != nil || back != typ {
			t.Errorf("UnmarshalText(%q): %v, %v", text, back, err)
		}
	}
}

func TestTypeUnknown(t *testing.T) {
	for typ, want := range map[Type]string{0: "type 0", numTypes: "type 47", 255: "type 255"} {
		if got := typ.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, name := range []string{"", "Added", "added ", "type 1"} {
		typ := Moved
		if err := typ.UnmarshalText([]byte(name)); err == nil || typ != Moved {
			t.Errorf("UnmarshalText(%q): %v, %v, want an error and no change", name, typ, err)
		}
	}
}

func TestSeverity(t *testing.T) {
	for s, want := range map[Severity]string{
		Error: "error", Warning: "warning", Notice: "notice", Info: "info", Debug: "debug", 0: "severity 0", 8: "severity 8",
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
