package httpapi

import (
	"fmt"
	"net/http"
	"syscall"

	"github.com/isat-project/isat/api"
)

func (s *Server) getSysctls(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface")
	if err != nil {
		return err
	}
	nodes, err := s.backend.Sysctls(q.Get("interface"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, api.Sysctls{Nodes: list(nodes)})
}

func (s *Server) getSysctl(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface")
	if err != nil {
		return err
	}
	node, err := s.backend.Sysctl(r.PathValue("name"), q.Get("interface"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, node)
}

func (s *Server) putSysctl(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface")
	if err != nil {
		return err
	}
	var body api.SetSysctl
	if err := decodeBody(w, r, field{"value", &body.Value, wantInteger, true}); err != nil {
		return err
	}
	node, err := s.backend.SetSysctl(r.PathValue("name"), q.Get("interface"), body.Value)
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, node)
}

func (s *Server) deleteSysctl(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "interface")
	if err != nil {
		return err
	}
	if q.Has("interface") && q.Get("interface") == "" {
		// A script's empty variable must not reset the value of the whole host.
		return fmt.Errorf("interface: empty; leave it out for the whole host: %w", syscall.EINVAL)
	}
	node, err := s.backend.ResetSysctl(r.PathValue("name"), q.Get("interface"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, node)
}

func (s *Server) getRoutes(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	routes, err := s.backend.Routes(r.Context())
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, api.Routes{Routes: list(routes)})
}

func (s *Server) getInterfaces(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	interfaces, err := s.backend.Interfaces(r.Context())
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, api.Interfaces{Interfaces: list(interfaces)})
}

func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	status, err := s.backend.Status(r.Context())
	if err != nil {
		return err
	}
	status.Interfaces = list(status.Interfaces)
	return s.writeJSON(w, http.StatusOK, status)
}

func (s *Server) getStats(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	stats, err := s.backend.Stats(r.Context())
	if err != nil {
		return err
	}
	stats.Interfaces = list(stats.Interfaces)
	return s.writeJSON(w, http.StatusOK, stats)
}

func (s *Server) postTake(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(w, r); err != nil {
		return err
	}
	taken, err := s.backend.Take(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, taken)
}

func (s *Server) postRelease(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(w, r); err != nil {
		return err
	}
	if err := s.backend.Release(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) postReload(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(w, r); err != nil {
		return err
	}
	result, err := s.backend.Reload(r.Context())
	if err != nil {
		return err
	}
	result.Changes = list(result.Changes)
	return s.writeJSON(w, http.StatusOK, result)
}

// noInput checks that a request has neither parameters nor keys.
func noInput(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	return decodeBody(w, r)
}
