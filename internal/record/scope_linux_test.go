//go:build linux

package record

import (
	"regexp"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

func TestHere(t *testing.T) {
	scope := func(ns *testns.NS) (s Scope) {
		t.Helper()
		err := ns.Do(func() (err error) {
			s, err = Here()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := testns.New(t), testns.New(t)
	one, again, other := scope(first), scope(first), scope(second)
	if one != again {
		t.Errorf("one namespace has two scopes: %+v and %+v", one, again)
	}
	if one.NetNS == other.NetNS || one.Boot != other.Boot {
		t.Errorf("two namespaces have the scopes %+v and %+v", one, other)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(one.Boot) {
		t.Errorf("boot id %q", one.Boot)
	}
	if !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(one.NetNS) {
		t.Errorf("namespace cookie %q", one.NetNS)
	}
}
