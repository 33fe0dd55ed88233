package httpapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// samples is a request for every route; the test below checks that none lacks.
var samples = []struct {
	method, path, body string
	need               right
}{
	{"GET", "/v1/arp", "", reading},
	{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"02:00:00:00:00:09"}`, changing},
	{"DELETE", "/v1/arp", "", changing},
	{"DELETE", "/v1/arp/192.0.2.9", "", changing},
	{"POST", "/v1/resolve", `{"ip":"192.0.2.9"}`, changing},
	{"POST", "/v1/announce", `{"interface":"eth0","ips":["192.0.2.1"]}`, changing},
	{"POST", "/v1/probe", `{"interface":"eth0","ips":["192.0.2.1"]}`, changing},
	{"GET", "/v1/proxy", "", reading},
	{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0"}`, changing},
	{"DELETE", "/v1/proxy?prefix=198.51.100.0/24&interface=eth0", "", changing},
	{"GET", "/v1/explain?interface=eth0&target=192.0.2.9&sender=192.0.2.1", "", reading},
	{"GET", "/v1/sysctl", "", reading},
	{"GET", "/v1/sysctl/net.link.ether.inet.max_age", "", reading},
	{"PUT", "/v1/sysctl/net.link.ether.inet.max_age", `{"value":60}`, changing},
	{"DELETE", "/v1/sysctl/net.link.ether.inet.max_age", "", changing},
	{"HEAD", "/v1/events", "", following}, // GET would not end
	{"GET", "/v1/routes", "", reading},
	{"GET", "/v1/interfaces", "", reading},
	{"POST", "/v1/interfaces/eth0/take", "", changing},
	{"POST", "/v1/interfaces/eth0/release", "", changing},
	{"GET", "/v1/status", "", reading},
	{"GET", "/v1/stats", "", reading},
	{"POST", "/v1/reload", "", changing},
	{"GET", "/metrics", "", scraping},
}

func TestSamplesAreAllRoutes(t *testing.T) {
	if routes := (&Server{}).routes(); len(routes) != len(samples) {
		t.Errorf("%d samples for %d routes", len(samples), len(routes))
	}
}

// may is INTERFACES section 5 for each user, with read = "all" and "group".
var may = []struct {
	name       string
	who        Credentials
	all, group string // r read, e events, c change
}{
	{"root", root, "rec", "rec"},
	{"the daemon's user", owner, "rec", "rec"},
	{"a member by supplementary group", member, "re", "re"},
	{"a member by gid", byGID, "re", "re"},
	{"a stranger", stranger, "r", ""},
	{"unknown", unknown, "r", ""},
}

func TestRights(t *testing.T) {
	letter := map[right]string{reading: "r", scraping: "r", following: "e", changing: "c"}
	for _, u := range may {
		for _, groupReads := range []bool{false, true} {
			allowed := u.all
			if groupReads {
				allowed = u.group
			}
			r := start(t, u.who)
			r.server.SetRights(Rights{Owner: 900, Group: 901, GroupReads: groupReads})
			for _, q := range samples {
				before := len(r.callsMade())
				a := r.do(t, q.method, q.path, q.body)
				if strings.Contains(allowed, letter[q.need]) {
					if a.status == http.StatusForbidden {
						t.Errorf("%s, group reads %v: %s %s: forbidden: %s", u.name, groupReads, q.method, q.path, a.body)
					}
					continue
				}
				if q.method == "HEAD" {
					if a.status != http.StatusForbidden {
						t.Errorf("%s, group reads %v: %s %s: status %d", u.name, groupReads, q.method, q.path, a.status)
					}
				} else {
					a.wantError(t, http.StatusForbidden, "EPERM")
				}
				if calls := r.callsMade()[before:]; len(calls) != 0 {
					t.Errorf("%s: %s %s reached the backend: %q", u.name, q.method, q.path, calls)
				}
			}
			r.stop()
		}
	}
}

func TestNoGroup(t *testing.T) {
	rights := Rights{Owner: 900, Group: NoGroup}
	// -1 as a gid is 4294967295: no match by conversion.
	for _, c := range []Credentials{{Known: true, UID: 5, GID: 1<<32 - 1}, {Known: true, UID: 5, Groups: []uint32{1<<32 - 1}}} {
		if rights.check(caller{Credentials: c}, following) == nil {
			t.Errorf("%+v follows events without a group", c)
		}
	}
}

func TestErrorNamesCaller(t *testing.T) {
	text := start(t, stranger).do(t, "POST", "/v1/reload", "").wantError(t, http.StatusForbidden, "EPERM")
	if want := "changing is for root and the daemon's user, not for uid 1002: operation not permitted"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestPeerFails(t *testing.T) {
	r := startAs(t, func(net.Conn) (Credentials, error) { return Credentials{}, errors.New("no") }, filepath.Join(t.TempDir(), "s"))
	if a := r.do(t, "GET", "/v1/arp", ""); a.status != http.StatusOK {
		t.Errorf("reading: status %d", a.status)
	}
	r.do(t, "DELETE", "/v1/arp", "").wantError(t, http.StatusForbidden, "EPERM")
}

// The verdict comes before the body: here the body never comes.
func TestForbiddenBeforeBody(t *testing.T) {
	r := start(t, stranger)
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "PUT /v1/arp HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c) // the server closes without having waited for the body
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 403 ") || !strings.Contains(string(text), `"EPERM"`) {
		t.Errorf("got %q, %v", text, err)
	}
}

// Who asks is asked once a connection, when it comes.
func TestPeerOncePerConnection(t *testing.T) {
	var asked atomic.Int32
	r := startAs(t, func(net.Conn) (Credentials, error) { asked.Add(1); return root, nil }, filepath.Join(t.TempDir(), "s"))
	for range 3 {
		r.do(t, "GET", "/v1/arp", "")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestOrigin(t *testing.T) {
	r := start(t, root)
	for _, q := range samples {
		if q.method != "HEAD" {
			r.do(t, q.method, q.path, q.body, "Origin", "http://localhost").wantError(t, http.StatusForbidden, "EPERM")
		}
	}
	r.do(t, "GET", "/v1/none", "", "Origin", "null").wantError(t, http.StatusForbidden, "EPERM")
	if calls := r.callsMade(); len(calls) != 0 {
		t.Errorf("reached the backend: %q", calls)
	}
}
