package httpapi

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"syscall"
	"time"
)

// route is a line of the API: who may, and what is done. An error of serve is
// the answer; serve has then written nothing.
type route struct {
	pattern string // of http.ServeMux
	need    right
	serve   func(w http.ResponseWriter, r *http.Request) error
}

// routes are the whole API. Those that a later issue brings are not there, and
// answered with 404.
func (s *Server) routes() []route {
	return []route{
		{"GET /v1/arp", reading, s.getEntries},
		{"PUT /v1/arp", changing, s.putEntry},
		{"DELETE /v1/arp", changing, s.deleteEntries},
		{"DELETE /v1/arp/{ip}", changing, s.deleteEntry},
		{"POST /v1/resolve", changing, s.postResolve},
		{"POST /v1/announce", changing, s.postAnnounce},
		{"POST /v1/probe", changing, s.postProbe},
		{"GET /v1/proxy", reading, s.getProxyRules},
		{"PUT /v1/proxy", changing, s.putProxyRule},
		{"DELETE /v1/proxy", changing, s.deleteProxyRule},
		{"GET /v1/explain", reading, s.getExplain},
		{"GET /v1/sysctl", reading, s.getSysctls},
		{"GET /v1/sysctl/{name}", reading, s.getSysctl},
		{"PUT /v1/sysctl/{name}", changing, s.putSysctl},
		{"DELETE /v1/sysctl/{name}", changing, s.deleteSysctl},
		{"GET /v1/events", following, s.getEvents},
		{"GET /v1/routes", reading, s.getRoutes},
		{"GET /v1/interfaces", reading, s.getInterfaces},
		{"POST /v1/interfaces/{name}/take", changing, s.postTake},
		{"POST /v1/interfaces/{name}/release", changing, s.postRelease},
		{"GET /v1/status", reading, s.getStatus},
		{"GET /v1/stats", reading, s.getStats},
		{"POST /v1/reload", changing, s.postReload},
		{"GET /metrics", scraping, s.metrics()},
	}
}

func (s *Server) unixHandler() http.Handler { return s.handler(s.routes()) }

// tcpHandler knows the routes that anybody may be shown.
func (s *Server) tcpHandler(host string) http.Handler {
	var open []route
	for _, r := range s.routes() {
		if r.need == reading || r.need == scraping {
			open = append(open, r)
		}
	}
	h := s.handler(open)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkHost(r.Host, host); err != nil {
			s.refuse(w, r, err)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// handler is the mux of the routes, with errors of its own form.
func (s *Server) handler(routes []route) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.pattern, s.guarded(r))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A browser sends Origin; no page has a reason to be here.
		if r.Header.Get("Origin") != "" {
			s.refuse(w, r, fmt.Errorf("a request with an Origin header, from a web page: %w", syscall.EPERM))
			return
		}
		if err := findRoute(mux, r); err != nil {
			if allow := err.allow; allow != "" {
				w.Header().Set("Allow", allow)
			}
			s.refuse(w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// guarded asks for the right first, before the body is read.
func (s *Server) guarded(t route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(callerKey{}).(caller) // the zero caller is nobody
		if err := s.rights.Load().check(who, t.need); err != nil {
			s.refuse(w, r, err)
			return
		}
		// The writer of a test has no deadlines; a connection has.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := t.serve(w, r); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// refuse answers with an error. If there may be a body still on its way it
// answers at once, where net/http would wait for the body first, and closes the
// connection after a moment in which a caller may end sending and read why.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength == 0 {
		s.writeError(w, r, err)
		return
	}
	// The writer of a test knows none of these; a connection does.
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Connection", "close")
	s.writeError(w, r, err)
	_ = control.Flush()
	_ = control.SetReadDeadline(time.Now().Add(drainTimeout))
}

// routeError is the mux's verdict on a path or method it does not know.
type routeError struct {
	text   string
	status int
	allow  string // the methods it knows, with 405
}

func (e *routeError) Error() string { return e.text }

// findRoute returns nil if the mux has a route for r. It asks the mux itself,
// whose own answer would be plain text or, for a path such as //v1, a redirect.
func findRoute(mux *http.ServeMux, r *http.Request) *routeError {
	unknown := &routeError{text: fmt.Sprintf("%s: no such path", r.URL.Path), status: http.StatusNotFound}
	if !strings.HasPrefix(r.URL.Path, "/") || path.Clean(r.URL.Path) != r.URL.Path {
		return unknown
	}
	h, pattern := mux.Handler(r)
	if pattern != "" {
		return nil
	}
	v := &verdict{header: http.Header{}}
	h.ServeHTTP(v, r)
	if v.status != http.StatusMethodNotAllowed {
		return unknown
	}
	allow := v.header.Get("Allow")
	return &routeError{
		text:   fmt.Sprintf("%s %s: the methods are %s", r.Method, r.URL.Path, allow),
		status: v.status, allow: allow,
	}
}

// verdict is a ResponseWriter that keeps status and header.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(status int)      { v.status = status }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
