package event

import "fmt"

// Type tells what happened; [Type.String] is its name in the API.
type Type uint8

// The types, in the order of INTERFACES section 5.
const (
	Added             Type = iota + 1 // an entry was made
	Resolved                          // an incomplete entry got its link-layer address
	Validated                         // an entry was confirmed by its owner
	Moved                             // an entry got another link-layer address
	Changed                           // the administrator changed an entry
	Deleted                           // an entry was deleted
	Expired                           // a validated entry reached max_age
	Unanswered                        // maxtries requests had no answer
	Missed                            // the IP side asked for an address without an entry
	Conflict                          // another host uses an own address
	Defended                          // an own address was defended
	Duplicate                         // an own address was given up
	Recovered                         // an own address is in use again
	Announced                         // an own address was announced
	Probing                           // probing of an own address began
	Verified                          // probing found an own address free
	WrongInterface                    // an address of one interface was claimed on another
	PermanentModify                   // a claim against a permanent entry
	BroadcastSender                   // a sender with a broadcast or multicast link-layer address
	Malformed                         // a frame that is no ARP packet
	Proxied                           // a request was answered for somebody else
	ProxyRefused                      // proxying for a request was refused
	Ignored                           // a packet that ARP does not act on
	Lost                              // the reader was too slow; Count events are gone
	Overrun                           // a kernel socket lost messages and was read again
	Suppressed                        // Count diagnostics like this one were held back
	LinkUp                            // an interface got carrier
	LinkDown                          // an interface lost carrier
	InterfaceFailed                   // IPMP: a member counts as failed
	InterfaceRepaired                 // IPMP: a failed member works again
	GroupFailed                       // IPMP: no member of the group works
	GroupRepaired                     // IPMP: a member of a failed group works again
	Rebound                           // IPMP: a data address moved to another member
	Offline                           // IPMP: the administrator took a member out
	Online                            // IPMP: the administrator put it back
	Activated                         // IPMP: a member carries data from now on
	Deactivated                       // IPMP: a member is a standby from now on
	Nominee                           // IPMP: another member does the group's broadcasts
	TakenOver                         // isat does ARP on the interface from now on
	HandedBack                        // the kernel does again
	RouteAdd                          // a route was added (RTM_ADD of route(4))
	RouteDelete                       // a route was deleted (RTM_DELETE)
	RouteChange                       // a route was changed (RTM_CHANGE)
	RouteResolve                      // a cloning route made a host route (RTM_RESOLVE)
	RouteMiss                         // a lookup found no route (RTM_MISS)
	SendFailed                        // an ARP packet could not be sent
	numTypes
)

var typeNames = [numTypes]string{
	Added: "added", Resolved: "resolved", Validated: "validated", Moved: "moved", Changed: "changed",
	Deleted: "deleted", Expired: "expired", Unanswered: "unanswered", Missed: "missed",
	Conflict: "conflict", Defended: "defended", Duplicate: "duplicate", Recovered: "recovered",
	Announced: "announced", Probing: "probing", Verified: "verified",
	WrongInterface: "wrong_interface", PermanentModify: "permanent_modify",
	BroadcastSender: "broadcast_sender", Malformed: "malformed", Proxied: "proxied",
	ProxyRefused: "proxy_refused", Ignored: "ignored", Lost: "lost", Overrun: "overrun",
	Suppressed: "suppressed", LinkUp: "link_up", LinkDown: "link_down",
	InterfaceFailed: "interface_failed", InterfaceRepaired: "interface_repaired",
	GroupFailed: "group_failed", GroupRepaired: "group_repaired", Rebound: "rebound",
	Offline: "offline", Online: "online", Activated: "activated", Deactivated: "deactivated",
	Nominee: "nominee", TakenOver: "taken_over", HandedBack: "handed_back",
	RouteAdd: "route_add", RouteDelete: "route_delete", RouteChange: "route_change",
	RouteResolve: "route_resolve", RouteMiss: "route_miss",
	SendFailed: "send_failed",
}

// String returns the name of t in the API, such as "resolved".
func (t Type) String() string {
	if t == 0 || t >= numTypes {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return typeNames[t]
}

// MarshalText implements [encoding.TextMarshaler] with [Type.String].
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an
// error.
func (t *Type) UnmarshalText(text []byte) error {
	for i, name := range typeNames {
		if i > 0 && name == string(text) {
			*t = Type(i)
			return nil
		}
	}
	return fmt.Errorf("event type %q: no such type", text)
}
