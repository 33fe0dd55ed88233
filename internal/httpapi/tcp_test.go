package httpapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestCheckHost(t *testing.T) {
	for _, c := range []struct {
		requested, configured string
		ok                    bool
	}{
		{"127.0.0.1:9100", "", true},
		{"192.0.2.1", "", true},
		{"[::1]:9100", "", true},
		{"[::1]", "", true},
		{"localhost:9100", "", true},
		{"LocalHost", "", true},
		{"router.example:9100", "router.example", true},
		{"Router.Example", "router.example", true},
		{"evil.example:9100", "router.example", false},
		{"router.example.evil.example", "router.example", false},
		{"localhost.evil.example", "", false},
		{"127.0.0.1.evil.example", "", false},
		{"", "", false},
		{":9100", "", false},
	} {
		if err := checkHost(c.requested, c.configured); (err == nil) != c.ok {
			t.Errorf("Host %q for %q: %v", c.requested, c.configured, err)
		}
	}
}

// TestTCP has everything that reads and nothing else.
func TestTCP(t *testing.T) {
	r := start(t, root)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return r.server.ServeTCP(ctx, l, "router.example") })
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	base := "http://" + l.Addr().String()

	known := map[string]bool{} // paths that read
	for _, q := range samples {
		path, _, _ := strings.Cut(q.path, "?")
		known[path] = known[path] || q.need == reading || q.need == scraping
	}
	for _, q := range samples {
		before := len(r.callsMade())
		path, _, _ := strings.Cut(q.path, "?")
		a := request(t, client, q.method, base+q.path, q.body)
		switch {
		case q.need == reading || q.need == scraping:
			if a.status != http.StatusOK {
				t.Errorf("%s %s: status %d", q.method, q.path, a.status)
			}
			request(t, client, q.method, base+q.path, q.body, "Host", "evil.example").wantError(t, http.StatusForbidden, "EPERM")
			continue
		case q.method == http.MethodHead:
			if a.status != http.StatusNotFound {
				t.Errorf("%s %s: status %d", q.method, q.path, a.status)
			}
		case known[path]:
			a.wantError(t, http.StatusMethodNotAllowed, "EOPNOTSUPP")
		default:
			a.wantError(t, http.StatusNotFound, "ENOENT")
		}
		if calls := r.callsMade()[before:]; len(calls) != 0 {
			t.Errorf("%s %s reached the backend: %q", q.method, q.path, calls)
		}
	}
	if a := request(t, client, "GET", base+"/v1/arp", "", "Host", "router.example:80"); a.status != http.StatusOK {
		t.Errorf("by the configured name: status %d", a.status)
	}
	request(t, client, "GET", base+"/v1/arp", "", "Origin", "http://127.0.0.1").wantError(t, http.StatusForbidden, "EPERM")

	// Nobody over TCP is of the group, but metrics stay: the port is for them.
	r.server.SetRights(Rights{Group: 901, GroupReads: true})
	request(t, client, "GET", base+"/v1/arp", "").wantError(t, http.StatusForbidden, "EPERM")
	if a := request(t, client, "GET", base+"/metrics", ""); a.status != http.StatusOK {
		t.Errorf("metrics: status %d: %s", a.status, a.body)
	}
}
