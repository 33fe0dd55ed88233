package e2e

import (
	"encoding/json"
	"fmt"
)

// addresses returns the IPv4 addresses that an interface of the host has, as
// `ip addr` shows them.
func (h *Host) addresses(ifname string) (all []string) {
	h.t.Helper()
	var links []struct {
		Addrs []struct {
			Local  string `json:"local"`
			Length int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(h.Must("ip", "-json", "-4", "addr", "show", "dev", ifname)), &links); err != nil {
		h.t.Fatal(err)
	}
	for _, l := range links {
		for _, a := range l.Addrs {
			all = append(all, fmt.Sprintf("%s/%d", a.Local, a.Length))
		}
	}
	return all
}

// detecting is [standard] with detection of duplicates, whose numbers are smaller:
// an address is verified within half a second, and a duplicate is tried again soon.
const detecting = `
[sysctl]
"net.link.ether.arp.publish_interval" = 1000
[[interface]]
name = "e0"
dad = true
`
