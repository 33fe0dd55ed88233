package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/lladdr"
)

// delete deletes the entry of a host, with pub the published-only one alone.
func (t *arpTool) delete(ctx context.Context, host string, pub bool) error {
	ip, err := t.address(ctx, host)
	if err != nil {
		return err
	}
	deleted, err := t.client.DeleteEntry(ctx, ip, t.ifname, pub)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENXIO), err == nil && len(deleted) == 0:
		return fmt.Errorf("delete: cannot locate %s", host)
	case err != nil:
		return t.refused(err, "delete", host, ip)
	}
	fmt.Fprintf(t.stdout, "%s (%v) deleted\n", host, ip)
	return nil
}

// deleteAll deletes every entry but those of own addresses.
func (t *arpTool) deleteAll(ctx context.Context) error {
	deleted, err := t.client.DeleteEntries(ctx, t.ifname)
	if err != nil {
		return t.explain(err, "delete")
	}
	for _, e := range deleted {
		fmt.Fprintf(t.stdout, "%v (%v) deleted\n", e.IP, e.IP)
	}
	return nil
}

// replace is -S: whatever is there is deleted first. That there was nothing, or
// that it cannot be deleted, is no failure: setting tells.
func (t *arpTool) replace(ctx context.Context, words []string) error {
	e, err := t.entry(ctx, words)
	if err != nil {
		return err
	}
	deleted, err := t.client.DeleteEntry(ctx, e.IP, t.ifname, false)
	if err == nil && len(deleted) > 0 {
		fmt.Fprintf(t.stdout, "%s (%v) deleted\n", words[0], e.IP)
	}
	return t.set(ctx, words[0], e)
}

// set is -s.
func (t *arpTool) set(ctx context.Context, host string, e api.SetEntry) error {
	note, err := t.put(ctx, host, e)
	io.WriteString(t.stdout, note)
	return err
}

// put sets an entry and returns what there is to say of it if it succeeds, a
// line: for "auto" the interface, as FreeBSD's arp(8) does.
func (t *arpTool) put(ctx context.Context, host string, e api.SetEntry) (note string, err error) {
	set, _, err := t.client.SetEntry(ctx, e)
	switch {
	case e.MAC != api.EtherAuto:
	case err == nil:
		note = fmt.Sprintf("using interface %s for proxy with address %s\n", set.Interface, set.MAC)
	case errors.Is(err, syscall.ENETUNREACH):
		return "", verbatim("no interface found for %v", e.IP)
	}
	return note, t.refused(err, "set", host, e.IP)
}

// refused explains an error about one entry as arp(8) does, `set HOST: why`,
// without what the daemon says of the same at the beginning.
func (t *arpTool) refused(err error, what, host string, ip netip.Addr) error {
	var e *api.Error
	if errors.As(err, &e) {
		if _, why, ok := strings.Cut(e.Text, "the entry of "+ip.String()+": "); ok {
			err = &api.Error{Text: why, Errno: e.Errno, Status: e.Status}
		}
	}
	return t.explain(err, "%s %s", what, host)
}

// entry reads the words of -s: hostname, link-layer address, and words. It does
// not ask the daemon.
func (t *arpTool) entry(ctx context.Context, words []string) (api.SetEntry, error) {
	e := api.SetEntry{Interface: t.ifname}
	var err error
	if e.Pub, e.Action, e.Temp, err = arpWords(words[2:]); err != nil {
		return e, err
	}
	// What link_ntoa(3) prints has dots; see linkText.
	switch mac, err := lladdr.Parse(strings.ReplaceAll(words[1], ".", ":")); {
	case err == nil:
		e.MAC = api.MAC(mac.String())
	case words[1] == "auto" && e.Pub != api.PublishNo:
		e.MAC = api.EtherAuto
	default:
		return e, fmt.Errorf("invalid Ethernet address '%s'", words[1])
	}
	e.IP, err = t.address(ctx, words[0])
	return e, err
}

// arpWords reads what may follow host and address, in any order but for "only",
// which follows "pub".
func arpWords(words []string) (pub api.Publish, action api.Action, temp bool, err error) {
	for i, word := range words {
		switch word {
		case "temp":
			temp = true
		case "pub":
			pub = api.PublishYes
		case "only":
			if i == 0 || words[i-1] != "pub" {
				return pub, action, temp, usageError{verbatim("Invalid parameter 'only': it follows 'pub'")}
			}
			pub = api.PublishOnly
		case "reject", "blackhole":
			if action != api.ActionNone && action != api.Action(word) {
				return pub, action, temp, verbatim("Choose one of blackhole or reject, not both.")
			}
			action = api.Action(word)
		default:
			return pub, action, temp, usageError{verbatim("Invalid parameter '%s'", word)}
		}
	}
	return pub, action, temp, nil
}
