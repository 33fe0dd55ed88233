package ioctlsrv

import (
	"fmt"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/ioctl"
)

// table is what is left of the lines that a connection asks for page by page. The
// zero table begins.
type table struct {
	begun bool
	left  []host.Entry
}

// next returns the lines of the next page, and none after the last.
func (t *table) next(b Backend) []byte {
	if !t.begun {
		t.left = b.Unlisted()
	}
	t.begun = true
	var page []byte
	for len(t.left) > 0 {
		n := len(page)
		page = appendLine(page, t.left[0])
		if len(page) > ioctl.MaxAnswer-ioctl.AnswerHeaderLen {
			return page[:n]
		}
		t.left = t.left[1:]
	}
	if len(page) == 0 {
		*t = table{}
	}
	return page
}

// appendLine appends the line of an entry as the kernel writes it
// (net/ipv4/arp.c, arp_format_neigh_entry).
func appendLine(dst []byte, e host.Entry) []byte {
	mac := "00:00:00:00:00:00"
	if known(e) {
		mac = e.MAC.String()
	}
	return fmt.Appendf(dst, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n",
		e.IP, uint16(hardwareOf(e)), (flagsOf(e) &^ ioctl.InUse).Linux(), mac, e.Interface)
}

// hardwareOf returns the number of the medium of an entry.
func hardwareOf(e host.Entry) arp.HardwareType {
	for _, h := range []arp.HardwareType{arp.IEEE802, arp.ARCnet} {
		if h.String() == e.Type {
			return h
		}
	}
	return arp.Ethernet
}
