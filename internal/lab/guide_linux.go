package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/isat-project/isat/internal/lab/lan"
)

// lanPicture is the network as it is drawn in the package comment.
const lanPicture = `
   alice         bob         router ──── far
192.0.2.9    192.0.2.10   192.0.2.254    198.51.100.9
     │            │            │
  ───┴────────────┴─────┬──────┴───
                        │
                  isat 192.0.2.1
`

// place is a host and how to get there: an item of what `isat lab --json` prints
// when it stays up.
type place struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Enter   string `json:"enter"` // a command of the shell
}

// guide tells how to reach what is up.
func (o Options) guide(net *lan.LAN, socket string) error {
	var places []place
	for _, h := range net.Hosts() {
		places = append(places, place{h.Name, h.Addr.String(), enter(h)})
	}
	if o.JSON {
		return json.NewEncoder(o.Stdout).Encode(map[string]any{"socket": socket, "hosts": places})
	}
	var b strings.Builder
	fmt.Fprintf(&b, `%s
The daemon runs on isat and does its ARP. Point other commands at its socket:

  export ISAT_SOCKET=%s
  isat arp -an
  isat resolve 192.0.2.9
  isat probe eth0 192.0.2.9
  isat events

To run ping(8), ip(8) or a shell on a host, put this before it:

`, lanPicture, socket)
	for _, p := range places {
		fmt.Fprintf(&b, "  %-7s %s\n", p.Name, p.Enter)
	}
	fmt.Fprintf(&b, "\nCtrl-C ends it all.\n")
	_, err := o.Stdout.Write([]byte(b.String()))
	return err
}

// enter returns a command that runs another on a host. The namespace has no name:
// this process holds it by a descriptor.
func enter(h *lan.Host) string {
	pid := os.Getpid()
	user := ""
	if ownUserNamespace() {
		user = fmt.Sprintf("--preserve-credentials --user=/proc/%d/ns/user ", pid)
	}
	return fmt.Sprintf("nsenter %s--net=/proc/%d/fd/%d", user, pid, h.NS.FD())
}

// ownUserNamespace reports whether the lab has a user namespace of its own, whose
// parent it then may not look at.
func ownUserNamespace() bool {
	mine, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false
	}
	parents, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", os.Getppid()))
	return err != nil || parents != mine
}
