package mib

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{
		"net.link.ether.arp.max_defend", "net.link.ether.arp.stats.wait",
		"net.link.ether.inet.max_age", "net.link.ether.inet.maxhold", "net.link.ether.inet.wait",
	}
	for unknown, want := range map[string]string{
		"max_age":                     "net.link.ether.inet.max_age",
		"maxage":                      "net.link.ether.inet.max_age",
		"net.link.ether.arp.max_age":  "net.link.ether.inet.max_age",
		"net.link.ether.inet.maxhlod": "net.link.ether.inet.maxhold",
		"net.link.ether.inet.wiat":    "",                         // two of four are wrong
		"net.link.ether.inet.wai":     "net.link.ether.inet.wait", // nearer than that of stats
		"net.link.ether.inet.foo":     "",
		"net.link.ether.inet":         "",
		"net.link.ether.inet.":        "",
		"":                            "",
	} {
		for range 2 { // whatever the order
			slices.Reverse(names)
			if got := nearest(unknown, slices.Values(names)); got != want {
				t.Errorf("nearest(%q) = %q, want %q", unknown, got, want)
			}
		}
	}
}
