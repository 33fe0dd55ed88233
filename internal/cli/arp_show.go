package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/isat-project/isat/api"
)

// showAll prints every entry; none is no failure.
func (t *arpTool) showAll(ctx context.Context) error {
	entries, err := t.client.Entries(ctx, api.EntryFilter{Interface: t.ifname})
	if err != nil {
		return t.explain(err, "reading the entries")
	}
	return t.print(ctx, entries)
}

// show prints the entries of one host, which may have one on each interface.
func (t *arpTool) show(ctx context.Context, host string) error {
	ip, err := t.address(ctx, host)
	if err != nil {
		return err
	}
	entries, err := t.client.Entries(ctx, api.EntryFilter{Interface: t.ifname, IP: ip})
	if err != nil {
		return t.explain(err, "reading the entry of %s", host)
	}
	if err := t.print(ctx, entries); err != nil || len(entries) > 0 {
		return err
	}
	if !t.json { // FreeBSD's JSON is an empty list then
		on := ""
		if t.ifname != "" {
			on = " on " + t.ifname
		}
		fmt.Fprintf(t.stdout, "%s (%v) -- no entry%s\n", host, ip, on)
	}
	return errTold
}

// print prints entries as they are ready: names may take their time.
func (t *arpTool) print(ctx context.Context, entries []api.Entry) error {
	if t.json {
		return t.printArpJSON(ctx, entries)
	}
	for _, e := range entries {
		if _, err := io.WriteString(t.stdout, arpLine(t.names.of(ctx, e.IP), e)+"\n"); err != nil {
			return fmt.Errorf("printing the entries: %w", err)
		}
	}
	return nil
}

// arpLine returns the line of arp(8) for an entry of the host with the name.
func arpLine(name string, e api.Entry) string {
	var b strings.Builder
	mac := linkText(e)
	if mac == "" {
		mac = "(incomplete)"
	}
	fmt.Fprintf(&b, "%s (%v) at %s on %s", name, e.IP, mac, e.Interface)
	switch left := wholeSeconds(e.ExpiresIn); {
	case e.Permanent:
		b.WriteString(" permanent")
	case left > 0:
		fmt.Fprintf(&b, " expires in %d seconds", left)
	default:
		b.WriteString(" expired")
	}
	switch {
	case e.PublishOnly:
		b.WriteString(" published (proxy only)")
	case e.Published:
		b.WriteString(" published")
	}
	if label := typeLabel(e.Type); label != "" {
		fmt.Fprintf(&b, " [%s]", label)
	}
	if e.RT != "" {
		b.WriteString(" rt=" + e.RT)
	}
	return b.String()
}

// linkText returns the link-layer address of e as arp(8) prints it: of Ethernet by
// ether_ntoa(3), of other media by link_ntoa(3), with dots and without leading
// zeros.
func linkText(e api.Entry) string {
	if e.Type == "ethernet" {
		return string(e.MAC)
	}
	parts := strings.Split(string(e.MAC), ":")
	for i, p := range parts {
		if len(p) == 2 && p[0] == '0' {
			parts[i] = p[1:]
		}
	}
	return strings.Join(parts, ".")
}

// typeLabel returns the medium in brackets of a line; ARCnet has none.
func typeLabel(medium string) string {
	if medium == "arcnet" {
		return ""
	}
	return medium
}

// arpJSON is an entry in the structure that FreeBSD's arp(8) makes by libxo(3),
// its keys in that order; absent is false.
type arpJSON struct {
	Hostname   string `json:"hostname"`
	IPAddress  string `json:"ip-address"`
	MACAddress string `json:"mac-address,omitempty"`
	Incomplete bool   `json:"incomplete,omitempty"`
	Interface  string `json:"interface"`
	Permanent  bool   `json:"permanent,omitempty"`
	Expires    int64  `json:"expires,omitempty"`
	Expired    bool   `json:"expired,omitempty"`
	Published  bool   `json:"published,omitempty"`
	Type       string `json:"type,omitempty"`
}

func newArpJSON(name string, e api.Entry) arpJSON {
	left := wholeSeconds(e.ExpiresIn)
	if e.Permanent {
		left = 0
	}
	return arpJSON{
		Hostname:   name,
		IPAddress:  e.IP.String(),
		MACAddress: linkText(e),
		Incomplete: e.MAC == "",
		Interface:  e.Interface,
		Permanent:  e.Permanent,
		Expires:    left,
		Expired:    !e.Permanent && left == 0,
		Published:  e.Published || e.PublishOnly,
		Type:       typeLabel(e.Type),
	}
}

// printArpJSON prints entries as `arp --libxo json` does.
func (t *arpTool) printArpJSON(ctx context.Context, entries []api.Entry) error {
	type cache struct {
		Entries []arpJSON `json:"arp-cache"`
	}
	document := struct {
		Version string `json:"__version"`
		Arp     cache  `json:"arp"`
	}{Version: "1", Arp: cache{Entries: make([]arpJSON, len(entries))}}
	for i, e := range entries {
		document.Arp.Entries[i] = newArpJSON(t.names.of(ctx, e.IP), e)
	}
	encoder := json.NewEncoder(t.stdout)
	encoder.SetEscapeHTML(false)
	if t.pretty {
		encoder.SetIndent("", "  ")
	}
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("printing the entries: %w", err)
	}
	return nil
}
