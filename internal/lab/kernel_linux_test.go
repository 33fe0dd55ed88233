package lab

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// plainKernel is a daemon that leaves ARP to the kernel and says that it is in
// charge. It is a referee for the lab: scenarios of what RFC 826 asks of every
// host must pass with it, and those of what only isat does must fail.
type plainKernel struct {
	conn  *rtnl.Conn
	index int
}

// serveKernel answers the requests that the lab makes, from the kernel's table.
func serveKernel(socket, config string) error {
	if _, err := os.ReadFile(config); err != nil {
		return err
	}
	if err := setTries(maxTries); err != nil {
		return err
	}
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		return err
	}
	link, err := conn.LinkByName("eth0")
	if err != nil {
		return err
	}
	k := &plainKernel{conn, link.Index}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/interfaces", k.interfaces)
	mux.HandleFunc("GET /v1/arp", k.entries)
	mux.HandleFunc("PUT /v1/arp", k.set)
	mux.HandleFunc("PUT /v1/sysctl/{name}", k.sysctl)
	mux.HandleFunc("POST /v1/resolve", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, "the kernel resolves for packets only")
	})
	// It says yes, and does nothing: the lab has to see that.
	mux.HandleFunc("PUT /v1/proxy", func(w http.ResponseWriter, _ *http.Request) { reply(w, api.ProxyRule{}) })
	mux.HandleFunc("POST /v1/interfaces/{name}/take", k.take)
	os.Remove(socket) // a killed one leaves it
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return http.Serve(l, mux)
}

func (k *plainKernel) interfaces(w http.ResponseWriter, _ *http.Request) {
	reply(w, api.Interfaces{Interfaces: []api.Interface{{Name: "eth0", State: "up", Guarded: true}}})
}

func (k *plainKernel) entries(w http.ResponseWriter, r *http.Request) {
	ip, err := netip.ParseAddr(r.FormValue("ip"))
	if err != nil {
		refuse(w, err.Error())
		return
	}
	list := api.Entries{Entries: []api.Entry{}}
	n, err := k.conn.Neighbour(k.index, ip)
	if err == nil {
		list.Entries = append(list.Entries, api.Entry{IP: ip, MAC: api.MAC(n.MAC.String()), Interface: "eth0"})
	}
	reply(w, list)
}

func (k *plainKernel) take(w http.ResponseWriter, r *http.Request) {
	reply(w, api.Interface{Name: r.PathValue("name"), State: "up", Guarded: true})
}

func (k *plainKernel) sysctl(w http.ResponseWriter, r *http.Request) {
	switch r.PathValue("name") {
	case "net.link.ether.inet.maxtries":
		if err := setTries(fewTries); err != nil {
			refuse(w, err.Error())
			return
		}
	case "net.link.ether.inet.proxyall", // as with PUT /v1/proxy
		"net.link.ether.inet.max_log_per_second", "net.link.ether.arp.dup_recovery":
	default:
		refuse(w, "the kernel has no such limit")
		return
	}
	reply(w, api.SysctlNode{})
}

// setTries makes the kernel as patient as isat: it asks 3 times by default (arp(7)).
func setTries(n int) error {
	return os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/mcast_solicit", []byte(strconv.Itoa(n)), 0)
}

func (k *plainKernel) set(w http.ResponseWriter, r *http.Request) {
	var e api.SetEntry
	err := json.NewDecoder(r.Body).Decode(&e)
	if err == nil && e.Action != api.ActionNone {
		err = errors.New("the kernel has no such entries")
	}
	if err == nil && e.Pub == api.PublishNo { // as with PUT /v1/proxy
		err = k.conn.WriteNeighbours([]rtnl.NeighbourOp{{
			Action: rtnl.Put, Index: k.index, IP: e.IP, MAC: lladdr.MustParse(string(e.MAC)), State: rtnl.StatePermanent,
		}})
	}
	if err != nil {
		refuse(w, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(api.Entry{IP: e.IP, MAC: e.MAC})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(api.Error{Text: text, Errno: "EINVAL"})
}
