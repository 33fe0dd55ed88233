package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/isat-project/isat/api"
)

func TestBadInput(t *testing.T) {
	const good = `"ip":"192.0.2.9","mac":"02:00:00:00:00:09"`
	for _, c := range []struct {
		method, path, body string
		want               string // part of the text
	}{
		{"PUT", "/v1/arp", ``, "ip: missing"},
		{"PUT", "/v1/arp", `{}`, "ip: missing"},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9"}`, "mac: missing"},
		{"PUT", "/v1/arp", `[]`, "not a JSON object"},
		{"PUT", "/v1/arp", `"x"`, "not a JSON object"},
		{"PUT", "/v1/arp", `null`, "not a JSON object"},
		{"PUT", "/v1/arp", `{` + good, "ends within a JSON object"},
		{"PUT", "/v1/arp", `{"ip":`, "ends within a JSON object"},
		{"PUT", "/v1/arp", `{"ip"`, "ends within a JSON object"},
		{"PUT", "/v1/arp", `{"ip" "x"}`, "expected colon"},
		{"PUT", "/v1/arp", `{` + good + `}{}`, "more behind"},
		{"PUT", "/v1/arp", `{` + good + `} x`, "more behind"},
		{"PUT", "/v1/arp", `{` + good + `,"colour":"red"}`, `"colour": no such key here; there are ip, mac, interface, temp, pub, action`},
		{"PUT", "/v1/arp", `{"IP":"192.0.2.9"}`, `"IP": no such key`},
		{"PUT", "/v1/arp", `{` + good + `,"ip":"192.0.2.8"}`, "ip: twice"},
		{"PUT", "/v1/arp", `{"ip":5}`, `ip: want an IPv4 address such as "192.0.2.1", not 5`},
		{"PUT", "/v1/arp", `{"ip":null}`, "not null"},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.300"}`, `not "192.0.2.300"`},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9/24"}`, "ip: want an IPv4 address"},
		{"PUT", "/v1/arp", `{"ip":"","mac":"02:00:00:00:00:09"}`, "ip: want an IPv4 address"},
		{"PUT", "/v1/arp", `{"ip":"2001:db8::1","mac":"02:00:00:00:00:09"}`, "ip: want an IPv4 address"},
		{"PUT", "/v1/arp", `{"ip":"::ffff:192.0.2.9","mac":"02:00:00:00:00:09"}`, "ip: want an IPv4 address"},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":""}`, "mac: "},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"02:00:00:00:00:0g"}`, "mac: "},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":2}`, "mac: want a text"},
		{"PUT", "/v1/arp", `{` + good + `,"temp":"yes"}`, `temp: want true or false, not "yes"`},
		{"PUT", "/v1/arp", `{` + good + `,"pub":"always"}`, `pub: want false, true or "only", not "always"`},
		{"PUT", "/v1/arp", `{` + good + `,"action":"drop"}`, "action: want"},
		{"PUT", "/v1/arp", `{` + good + `,"interface":["eth0"]}`, "interface: want a text"},
		{"PUT", "/v1/arp?interface=eth0", `{` + good + `}`, "no parameters here"},
		{"GET", "/v1/arp?colour=red", ``, `"colour": no such parameter here; there are interface, ip, limit, after`},
		{"GET", "/v1/arp?ip=x", ``, `ip: want an IPv4 address such as "192.0.2.1", not "x"`},
		{"GET", "/v1/arp?ip=", ``, "ip: want"},
		{"GET", "/v1/arp?after=::1", ``, "after: want"},
		{"GET", "/v1/arp?limit=0", ``, "limit: want"},
		{"GET", "/v1/arp?limit=-1", ``, "limit: want"},
		{"GET", "/v1/arp?limit=many", ``, `limit: want a whole number from 1 on, not "many"`},
		{"GET", "/v1/arp?interface=a&interface=b", ``, "interface: twice"},
		{"GET", "/v1/arp?ip=%zz", ``, "query: "},
		{"DELETE", "/v1/arp/x", ``, "path: want an IPv4 address"},
		{"DELETE", "/v1/arp/192.0.2.9?pub=yes", ``, `pub: want "only", not "yes"`},
		{"DELETE", "/v1/arp?interface=", ``, "interface: empty"},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"auto"}`, `mac: "auto" only with pub`},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"AUTO","pub":true}`, "mac: "},
		{"PUT", "/v1/proxy", `{}`, "prefix: missing"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24"}`, "interface: missing"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":""}`, "interface: empty"},
		{"PUT", "/v1/proxy", `{"prefix":"","interface":"eth0"}`, `prefix: want an IPv4 network such as "192.0.2.0/24"`},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.9","interface":"eth0"}`, "prefix: want an IPv4 network"},
		{"PUT", "/v1/proxy", `{"prefix":"2001:db8::/32","interface":"eth0"}`, "prefix: want an IPv4 network"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.1/24","interface":"eth0"}`, "prefix: 198.51.100.1/24 has bits beyond its length; the network is 198.51.100.0/24"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","ether":"x"}`, "ether: "},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","deny_from":"192.0.2.1/32"}`, "deny_from: want a list"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","deny_from":["192.0.2.1"]}`, "deny_from: want a list"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","deny_from":["192.0.2.1/24"]}`, "deny_from: 192.0.2.1/24 has bits"},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","deny_from":[null]}`, "deny_from: want"},
		{"DELETE", "/v1/proxy", ``, "prefix: want"},
		{"DELETE", "/v1/proxy?prefix=198.51.100.0/24", ``, "interface: want"},
		{"DELETE", "/v1/proxy?prefix=198.51.100.1/24&interface=eth0", ``, "the network is 198.51.100.0/24"},
		{"GET", "/v1/explain", ``, "interface: want"},
		{"GET", "/v1/explain?interface=eth0&sender=192.0.2.1", ``, `target: want an IPv4 address such as "192.0.2.1", not ""`},
		{"GET", "/v1/explain?interface=eth0&target=192.0.2.9", ``, "sender: want"},
		{"GET", "/v1/explain?interface=eth0&target=192.0.2.9&sender=192.0.2.1&mac=", ``, "mac: "},
		{"POST", "/v1/resolve", `{}`, "ip: missing"},
		{"POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":"3s"}`, `timeout: want a number of seconds, not "3s"`},
		{"POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":-1}`, "timeout: want 0 to 3600 seconds, not -1"},
		{"POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":3601}`, "timeout: want 0 to 3600"},
		{"POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":1e99}`, "timeout: want"},
		{"POST", "/v1/announce", `{"interface":"eth0"}`, "ips: missing"},
		{"POST", "/v1/announce", `{"interface":"eth0","ips":[]}`, "ips: empty"},
		{"POST", "/v1/announce", `{"interface":"","ips":["192.0.2.1"]}`, "interface: empty"},
		{"POST", "/v1/announce", `{"interface":"eth0","ips":"192.0.2.1"}`, "ips: want a list"},
		{"POST", "/v1/announce", `{"interface":"eth0","ips":["192.0.2.1",null]}`, "ips: want"},
		{"POST", "/v1/announce", `{"interface":"eth0","ips":["::1"]}`, "ips: want"},
		{"POST", "/v1/probe", `{"ips":["192.0.2.1"]}`, "interface: missing"},
		{"POST", "/v1/probe", `{"interface":"eth0","ips":[]}`, "ips: empty"},
		{"POST", "/v1/probe", `{"interface":"eth0","ips":["::ffff:192.0.2.1"]}`, "ips: want"},
		{"POST", "/v1/probe", `{"interface":"eth0","ips":["192.0.2.1"],"fast":1}`, "fast: want true or false, not 1"},
		{"POST", "/v1/probe?fast=1", `{"interface":"eth0","ips":["192.0.2.1"]}`, "no parameters here"},
		{"PUT", "/v1/sysctl/a", `{}`, "value: missing"},
		{"DELETE", "/v1/sysctl/a?interface=", "", "interface: empty; leave it out for the whole host"},
		{"PUT", "/v1/sysctl/a", `{"value":"5"}`, `value: want a whole number, not "5"`},
		{"PUT", "/v1/sysctl/a", `{"value":1.5}`, "value: want a whole number, not 1.5"},
		{"PUT", "/v1/sysctl/a", `{"value":9223372036854775808}`, "value: want a whole number"},
		{"GET", "/v1/events?since=5", ``, "since: "},
		{"GET", "/v1/events?since=", ``, "since: "},
		{"GET", "/v1/events?since=test:7", ``, "the last event is 0"},
		{"POST", "/v1/reload", `{"file":"x"}`, `"file": no such key here; there are none`},
		{"POST", "/v1/interfaces/eth0/take", `x`, "not JSON"},
		{"GET", "/v1/status?x=1", ``, "no parameters here"},
	} {
		r := start(t, root)
		text := r.do(t, c.method, c.path, c.body).wantError(t, http.StatusBadRequest, "EINVAL")
		if !strings.Contains(text, c.want) {
			t.Errorf("%s %s %s:\ngot  %s\nwant %s", c.method, c.path, c.body, text, c.want)
		}
		if calls := r.callsMade(); len(calls) != 0 {
			t.Errorf("%s %s %s reached the backend: %q", c.method, c.path, c.body, calls)
		}
		r.stop()
	}
}

func TestBodyTooLong(t *testing.T) {
	r := start(t, root)
	body := `{"interface":"` + strings.Repeat("x", maxBody) + `"}`
	r.do(t, "POST", "/v1/announce", body).wantError(t, http.StatusRequestEntityTooLarge, "EMSGSIZE")
	r.do(t, "POST", "/v1/reload", strings.Repeat(" ", maxBody+1)).wantError(t, http.StatusRequestEntityTooLarge, "EMSGSIZE")
	if calls := r.callsMade(); len(calls) != 0 {
		t.Errorf("reached the backend: %q", calls)
	}
}

func TestUnknownPaths(t *testing.T) {
	r := start(t, root)
	for _, path := range []string{"/", "/v1", "/v1/", "/v2/arp", "/v1/arp/", "//v1/arp", "/v1/../v1/arp", "/v1/arp/192.0.2.1/x",
		"/v1/proxy/eth0", "/v1/explain/eth0", "/v1/history", "/v1/ipmp", "/v1/ipmp/probes", "/v1/interfaces/eth0", "/debug/pprof/"} {
		r.do(t, "GET", path, "").wantError(t, http.StatusNotFound, "ENOENT")
		r.do(t, "POST", path, "{}").wantError(t, http.StatusNotFound, "ENOENT")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/v1/arp", "DELETE, GET, HEAD, PUT"},
		{"GET", "/v1/resolve", "POST"},
		{"GET", "/v1/probe", "POST"},
		{"PATCH", "/v1/sysctl/x", "DELETE, GET, HEAD, PUT"},
		{"OPTIONS", "/v1/status", "GET, HEAD"},
		{"GET", "/v1/arp/192.0.2.1", "DELETE"},
	} {
		a := r.do(t, c.method, c.path, "")
		a.wantError(t, http.StatusMethodNotAllowed, "EOPNOTSUPP")
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	if calls := r.callsMade(); len(calls) != 0 {
		t.Errorf("reached the backend: %q", calls)
	}
}

// What reaches the backend is what was asked.
func TestGoodInput(t *testing.T) {
	r := start(t, root)
	r.entries = []api.Entry{{IP: ip4(1), Interface: "eth0"}}
	for _, c := range []struct {
		method, path, body string
		status             int
		call, answer       string
	}{
		{"GET", "/v1/arp?interface=eth0&ip=192.0.2.9&after=192.0.2.1&limit=3", "", 200, "entries {Interface:eth0 IP:192.0.2.9 After:192.0.2.1 Limit:3}", `{"entries":[]}`},
		{"PUT", "/v1/arp", ` {"ip":"192.0.2.9", "mac":"2-0-0-0-0-A"} `, 201, "set {IP:192.0.2.9 MAC:02:00:00:00:00:0a Interface: Temp:false Pub:0 Action:}", ""},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"5","temp":true,"pub":"only","action":"reject"}`, 200, "set {IP:192.0.2.9 MAC:05 Interface: Temp:true Pub:2 Action:reject}", ""},
		{"DELETE", "/v1/arp/192.0.2.9?interface=eth0&pub=only", "", 404, `delete 192.0.2.9 "eth0" true`, ""},
		{"DELETE", "/v1/arp", "", 200, `delete all ""`, `{"entries":[]}`},
		{"DELETE", "/v1/arp?interface=eth0", "", 200, `delete all "eth0"`, `{"entries":[]}`},
		{"POST", "/v1/resolve", `{"ip":"192.0.2.9","interface":"eth0","timeout":0.5}`, 200, `resolve 192.0.2.9 "eth0"`, ""},
		{"POST", "/v1/announce", `{"interface":"eth0","ips":["192.0.2.1","192.0.2.2"]}`, 204, `announce "eth0" [192.0.2.1 192.0.2.2]`, ""},
		{"POST", "/v1/probe", `{"interface":"eth0","ips":["192.0.2.1","192.0.2.2"],"fast":true}`, 200, `probe "eth0" [192.0.2.1 192.0.2.2] true`,
			`{"ip":"192.0.2.1","free":true}` + "\n" + `{"ip":"192.0.2.2","free":true}`},
		{"PUT", "/v1/arp", `{"ip":"192.0.2.10","mac":"auto","pub":true}`, 201, "set {IP:192.0.2.10 MAC:auto Interface: Temp:false Pub:1 Action:}", ""},
		{"GET", "/v1/proxy", "", 200, "rules", `{"rules":[]}`},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0"}`, 201, "set rule {Prefix:198.51.100.0/24 Interface:eth0 Ether:auto DenyFrom:[]}",
			`{"prefix":"198.51.100.0/24","interface":"eth0","ether":"auto","deny_from":[]}`},
		{"PUT", "/v1/proxy", `{"prefix":"198.51.100.0/24","interface":"eth0","ether":"2-0-0-0-0-A","deny_from":["192.0.2.66/32"]}`, 200,
			"set rule {Prefix:198.51.100.0/24 Interface:eth0 Ether:02:00:00:00:00:0a DenyFrom:[192.0.2.66/32]}", ""},
		{"GET", "/v1/proxy", "", 200, "rules", `{"rules":[{"prefix":"198.51.100.0/24","interface":"eth0","ether":"auto","deny_from":[]}]}`},
		{"DELETE", "/v1/proxy?prefix=198.51.100.0/24&interface=eth0", "", 200, `delete rule 198.51.100.0/24 "eth0"`,
			`{"rules":[{"prefix":"198.51.100.0/24","interface":"eth0","ether":"auto","deny_from":[]}]}`},
		{"GET", "/v1/explain?interface=eth0&target=192.0.2.9&sender=0.0.0.0&mac=2:0:0:0:0:A", "", 200,
			"explain {Interface:eth0 Target:192.0.2.9 Sender:0.0.0.0 MAC:02:00:00:00:00:0a}",
			`{"interface":"eth0","target":"192.0.2.9","sender":"0.0.0.0","sender_mac":"02:00:00:00:00:0a","verdict":"","step":"","reason":"","mac":"","prefix":"","routes":{"to":"","back":""},"findings":[],"text":""}`},
		{"GET", "/v1/sysctl?interface=eth0", "", 200, `sysctls "eth0"`, `{"nodes":[]}`},
		{"GET", "/v1/sysctl/net.link.ether.inet.max_age", "", 200, `sysctl "net.link.ether.inet.max_age" ""`, ""},
		{"PUT", "/v1/sysctl/a.b?interface=eth0", `{"value":-5}`, 200, `set sysctl "a.b" "eth0" -5`, ""},
		{"DELETE", "/v1/sysctl/a.b?interface=eth0", "", 200, `reset sysctl "a.b" "eth0"`, ""},
		{"DELETE", "/v1/sysctl/a.b", "", 200, `reset sysctl "a.b" ""`, ""},
		{"GET", "/v1/routes", "", 200, "routes", `{"routes":[]}`},
		{"GET", "/v1/interfaces", "", 200, "interfaces", `{"interfaces":[]}`},
		{"POST", "/v1/interfaces/eth0.5/take", "", 200, `take "eth0.5"`, ""},
		{"POST", "/v1/interfaces/a%2Fb/release", "{}", 204, `release "a/b"`, ""},
		{"POST", "/v1/reload", "", 200, "reload", `{"changes":[]}`},
	} {
		before := len(r.callsMade())
		a := r.do(t, c.method, c.path, c.body)
		if a.status != c.status {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, a.status, c.status, a.body)
		}
		if diff := cmp.Diff([]string{c.call}, r.callsMade()[before:]); diff != "" {
			t.Errorf("%s %s: calls (-want +got):\n%s", c.method, c.path, diff)
		}
		if c.answer != "" && strings.TrimSpace(a.body) != c.answer {
			t.Errorf("%s %s: got %s, want %s", c.method, c.path, a.body, c.answer)
		}
	}
}

func TestBackendErrors(t *testing.T) {
	r := start(t, root)
	for _, c := range []struct {
		err    error
		status int
		errno  string
	}{
		{syscall.ENXIO, 404, "ENXIO"},
		{fmt.Errorf("out of range: %w", syscall.EINVAL), 400, "EINVAL"},
		{syscall.EPERM, 403, "EPERM"},
		{syscall.EBUSY, 409, "EBUSY"},
		{syscall.EHOSTUNREACH, 504, "EHOSTUNREACH"},
		{syscall.EPIPE, 500, "EIO"}, // none of the API's
		{errors.New("anything"), 500, "EIO"},
	} {
		r.fail(c.err)
		for _, q := range samples {
			switch {
			case q.method == "HEAD": // events do not ask the backend
			case q.need == scraping: // many errors become one
				r.do(t, q.method, q.path, q.body).wantError(t, 500, "EIO")
			default:
				text := r.do(t, q.method, q.path, q.body).wantError(t, c.status, c.errno)
				if text != c.err.Error() {
					t.Errorf("%s %s: got %q, want %q", q.method, q.path, text, c.err)
				}
			}
		}
	}
}

func TestResolveTimeout(t *testing.T) {
	r := start(t, root)
	r.resolve = func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("resolving: %w", ctx.Err()) }
	text := r.do(t, "POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":0.01}`).wantError(t, 504, "EHOSTDOWN")
	if want := "resolving 192.0.2.9: no answer in 10ms: host is down"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	r.resolve = func(context.Context) error { return syscall.EHOSTUNREACH }
	if _, err := r.client.Resolve(t.Context(), ip4(9), "", 0); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("a silent gateway: %v", err)
	}
}
