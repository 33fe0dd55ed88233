package proxy

import (
	"net/netip"
	"strings"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// The world of the tests:
//
//	192.0.2.0/24 ── e0 [this host] e1 ── 198.51.100.0/24
//	 .7  asks                             .9 is asked for
var (
	ownMAC   = mac("02:00:00:00:00:e0") // of e0
	askerMAC = mac("02:00:00:00:00:07")
	ownerMAC = mac("02:00:00:00:00:09") // of 198.51.100.9
	otherMAC = mac("02:00:00:00:00:55")
	groupMAC = mac("03:00:00:00:00:55")
)

// epoch is when the tests begin.
var epoch = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// ask is what 192.0.2.7 asks on e0.
func ask(target string) Request {
	return Request{Interface: "e0", SenderMAC: askerMAC, SenderIP: addr("192.0.2.7"), TargetIP: addr(target)}
}

// probe is the same without an address.
func probe(target string) Request {
	r := ask(target)
	r.SenderIP = netip.IPv4Unspecified()
	return r
}

// world is a Host and a Router that know one answer to each question.
type world struct {
	settings    Settings
	ownership   Ownership
	ownMAC      lladdr.Addr
	publication Publication
	pubMAC      lladdr.Addr
	heard       lladdr.Addr // of every target, the zero Addr: never heard
	routes      Routes
	state       RouteState

	asked int // for routes
}

func (w *world) Settings() Settings                              { return w.settings }
func (w *world) LinkAddr() lladdr.Addr                           { return ownMAC }
func (w *world) IsStation(mac lladdr.Addr) bool                  { return mac.Len() == ownMAC.Len() && mac != groupMAC }
func (w *world) Own(Request) (Ownership, lladdr.Addr)            { return w.ownership, w.ownMAC }
func (w *world) Published(netip.Addr) (Publication, lladdr.Addr) { return w.publication, w.pubMAC }
func (w *world) Heard(_ netip.Addr, from lladdr.Addr) bool {
	return w.heard.IsValid() && w.heard == from
}
func (w *world) Routes(time.Time, Request) (Routes, RouteState) { w.asked++; return w.routes, w.state }
func contains(err error, text string) bool                      { return err != nil && strings.Contains(err.Error(), text) }
