package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/api"
)

// An answer that ends before every address was told is not taken for a whole one,
// and what is no JSON is an error.
func TestProbeBroken(t *testing.T) {
	line := `{"ip":"192.0.2.1","free":true}` + "\n"
	for _, c := range []struct {
		name, body string
		is         error // nil: any error
	}{
		{"nothing", "", io.ErrUnexpectedEOF},
		{"one of two", line, io.ErrUnexpectedEOF},
		{"half a line", line + line[:9], io.ErrUnexpectedEOF},
		{"no JSON", line + "x", nil},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.body) })
		q := api.ProbeRequest{Interface: "eth0", IPs: []netip.Addr{addr(1), addr(2)}}
		err := client.Probe(t.Context(), q, func(api.Probed) error { return nil })
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
		}
	}
}
