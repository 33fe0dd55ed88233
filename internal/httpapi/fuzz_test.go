package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/event"
)

// FuzzRequests sends any path, query and body to any method as root. Whatever
// comes: an answer that is JSON, an error with text and errno, and nothing at
// the backend after an error that is not its own.
func FuzzRequests(f *testing.F) {
	for _, q := range samples {
		if q.need != following {
			f.Add(q.method, q.path, q.body)
		}
	}
	f.Add("PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"2:0:0:0:0:9","pub":"only","temp":true,"action":"reject","interface":"eth0"}`)
	f.Add("PUT", "/v1/arp", `{"ip":"192.0.2.9","ip":"192.0.2.9"}`)
	f.Add("PUT", "/v1/arp", `{"ip":"192.0.2.9","mac":"auto","pub":"only"}`)
	f.Add("PUT", "/v1/proxy", `{"prefix":"0.0.0.0/0","interface":"eth0","ether":"2:0:0:0:0:9","deny_from":["192.0.2.66/32","10.0.0.0/8"]}`)
	f.Add("PUT", "/v1/proxy", `{"prefix":"198.51.100.0/33","interface":"eth0","deny_from":[]}`)
	f.Add("DELETE", "/v1/proxy?prefix=::/0&interface=eth0", ``)
	f.Add("GET", "/v1/explain?interface=eth0&target=192.0.2.9&sender=0.0.0.0&mac=ff", ``)
	f.Add("POST", "/v1/resolve", `{"ip":"192.0.2.9","timeout":1e-9}`)
	f.Add("GET", "/v1/arp?limit=1&after=192.0.2.1&ip=%31", ``)
	f.Add("GET", "/v1/arp//%2e%2e/x", ``)
	f.Add("OPTIONS", "*", ``)
	b := &fake{}
	s := New(Config{Backend: b, Events: event.NewRing("test", 16), Rights: testRights, Log: slog.New(slog.DiscardHandler)})
	h := s.handler(s.routes())
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://isat", strings.NewReader(body))
		if err != nil {
			return // net/http would not let it through
		}
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		if path == "/v1/events" || path == "/metrics" {
			return // not JSON, and the first does not end
		}
		r = r.WithContext(context.WithValue(t.Context(), callerKey{}, caller{Credentials: root}))
		b.calls, b.entries = nil, nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusNoContent {
			return
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q: status %d with no JSON: %q", method, target, w.Code, w.Body)
		}
		if w.Code/100 == 2 {
			return
		}
		var e api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Text == "" || e.Errno == "" || w.Code >= 500 {
			t.Fatalf("%s %q: status %d: %q", method, target, w.Code, w.Body)
		}
		if len(b.calls) != 0 && !strings.HasPrefix(b.calls[0], "delete ") { // which fails by itself
			t.Fatalf("%s %q: status %d after %q", method, target, w.Code, b.calls)
		}
	})
}
