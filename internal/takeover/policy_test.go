package takeover

import "testing"

func TestDownIsTextBothWays(t *testing.T) {
	for _, want := range []Down{DownAddress, DownInterface} {
		var got Down
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Errorf("%v becomes %v, %v", want, got, err)
		}
	}
	var d Down
	if err := d.UnmarshalText([]byte("host")); err == nil {
		t.Error("an unknown word is taken")
	}
}
