package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/lladdr"
)

// maxBody bounds a request's body: some 50,000 addresses.
const maxBody = 1 << 20

// field is a key that a body may have.
type field struct {
	name     string
	into     any    // pointer
	want     string // what it should be, for the error
	required bool
}

// Descriptions of fields, for errors.
const (
	wantIP      = `an IPv4 address such as "192.0.2.1"`
	wantIPs     = `a list of IPv4 addresses such as ["192.0.2.1"]`
	wantName    = "a text, the name of an interface"
	wantMAC     = `a text, a link-layer address such as "02:00:00:00:00:01"`
	wantPrefix  = `an IPv4 network such as "192.0.2.0/24"`
	wantBool    = "true or false"
	wantPub     = `false, true or "only"`
	wantAction  = `"", "reject" or "blackhole"`
	wantSeconds = "a number of seconds"
	wantInteger = "a whole number"

	wantMACOrAuto = `a text, "auto" or a link-layer address such as "02:00:00:00:00:01"`
	wantPrefixes  = `a list of IPv4 networks such as ["192.0.2.0/24"]`
)

// decodeBody reads a body that is one JSON object with these keys and no others,
// each once. encoding/json alone takes keys in any case, twice, and does not
// tell which one has a wrong value. An empty body is an object without keys.
func decodeBody(w http.ResponseWriter, r *http.Request, fields ...field) error {
	control := http.NewResponseController(w)
	// The writer of a test has no deadlines.
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	defer control.SetReadDeadline(time.Time{})
	err := decodeObject(http.MaxBytesReader(w, r.Body, maxBody), fields)
	var size *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &size):
		return fmt.Errorf("the body is longer than %d bytes: %w", size.Limit, syscall.EMSGSIZE)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the body ends within a JSON object: %w", syscall.EINVAL)
	}
	return fmt.Errorf("%v: %w", err, syscall.EINVAL)
}

func decodeObject(body io.Reader, fields []field) error {
	d := json.NewDecoder(body)
	seen := map[string]bool{}
	t, err := d.Token()
	switch {
	case err == io.EOF:
		return missing(fields, seen)
	case err != nil:
		return fmt.Errorf("the body is not JSON: %w", err)
	case t != json.Delim('{'):
		return errors.New("the body is not a JSON object")
	}
	for d.More() {
		if err := decodeField(d, fields, seen); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return fmt.Errorf("the body is not JSON: %w", notEOF(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind the JSON object")
	}
	return missing(fields, seen)
}

// decodeField reads one key with its value.
func decodeField(d *json.Decoder, fields []field, seen map[string]bool) error {
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w", notEOF(err))
	}
	name, _ := t.(string) // the decoder lets nothing else be a key
	f := find(fields, name)
	switch {
	case f == nil:
		return fmt.Errorf("%q: no such key here; there are %s", name, names(fields))
	case seen[name]:
		return fmt.Errorf("%s: twice", name)
	}
	seen[name] = true
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("%s: %w", name, notEOF(err))
	}
	if string(value) == "null" {
		return fmt.Errorf("%s: want %s, not null", name, f.want)
	}
	if err := json.Unmarshal(value, f.into); err != nil {
		return fmt.Errorf("%s: want %s, not %s", name, f.want, shorten(string(value)))
	}
	return nil
}

// notEOF turns the end of the input where something had to come into an error
// that says so.
func notEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func find(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

func names(fields []field) string {
	if len(fields) == 0 {
		return "none"
	}
	var n []string
	for _, f := range fields {
		n = append(n, f.name)
	}
	return strings.Join(n, ", ")
}

func missing(fields []field, seen map[string]bool) error {
	for _, f := range fields {
		if f.required && !seen[f.name] {
			return fmt.Errorf("%s: missing; want %s", f.name, f.want)
		}
	}
	return nil
}

// shorten keeps a quoted value from filling a screen.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// parameters reads the query, which may have these parameters, each once.
func parameters(r *http.Request, allowed ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query: %v: %w", err, syscall.EINVAL)
	}
	for name, values := range q {
		known := false
		for _, a := range allowed {
			known = known || a == name
		}
		switch {
		case !known && len(allowed) == 0:
			return nil, fmt.Errorf("query: %q: no parameters here: %w", name, syscall.EINVAL)
		case !known:
			return nil, fmt.Errorf("query: %q: no such parameter here; there are %s: %w", name, strings.Join(allowed, ", "), syscall.EINVAL)
		case len(values) > 1:
			return nil, fmt.Errorf("query: %s: twice: %w", name, syscall.EINVAL)
		}
	}
	return q, nil
}

// parseIP reads an IPv4 address; the name is for the error.
func parseIP(name, text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, badIP(name, text)
	}
	return ip, checkIP(name, ip)
}

func checkIP(name string, ip netip.Addr) error {
	if !ip.Is4() {
		return badIP(name, ip.String())
	}
	return nil
}

func badIP(name, text string) error {
	return fmt.Errorf("%s: want %s, not %q: %w", name, wantIP, shorten(text), syscall.EINVAL)
}

// parseLimit reads a number of entries, "" for none.
func parseLimit(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("limit: want a whole number from 1 on, not %q: %w", shorten(text), syscall.EINVAL)
	}
	return n, nil
}

// canonicalMAC reads a link-layer address and returns the form of api.MAC; the
// name is for the error.
func canonicalMAC(name string, m api.MAC) (api.MAC, error) {
	a, err := lladdr.Parse(string(m))
	if err != nil {
		return "", fmt.Errorf("%s: %v: %w", name, err, syscall.EINVAL)
	}
	return api.MAC(a.String()), nil
}
