package httpapi

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/isat-project/isat/api"
)

func ip4(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }

func TestPage(t *testing.T) {
	table := []api.Entry{
		{IP: ip4(9), Interface: "e0", PublishOnly: true}, {IP: ip4(9), Interface: "e0"}, {IP: ip4(2), Interface: "e1"}, {IP: ip4(2), Interface: "e0"},
		{IP: ip4(10), Interface: "e0"}, {IP: ip4(2), Interface: "e2"}, {IP: ip4(1), Interface: "e0"},
	}
	before := slices.Clone(table)
	for _, c := range []struct {
		f    api.EntryFilter
		want string
	}{
		{api.EntryFilter{}, "1e0 2e0 2e1 2e2 9e0 9e0* 10e0"},
		{api.EntryFilter{Limit: 1}, "1e0"},
		{api.EntryFilter{Limit: 2}, "1e0 2e0 2e1 2e2"}, // one address is not parted
		{api.EntryFilter{Limit: 4}, "1e0 2e0 2e1 2e2"},
		{api.EntryFilter{Limit: 5}, "1e0 2e0 2e1 2e2 9e0 9e0*"},
		{api.EntryFilter{Limit: 100}, "1e0 2e0 2e1 2e2 9e0 9e0* 10e0"},
		{api.EntryFilter{After: ip4(2)}, "9e0 9e0* 10e0"},
		{api.EntryFilter{After: ip4(1), Limit: 1}, "2e0 2e1 2e2"},
		{api.EntryFilter{After: ip4(3)}, "9e0 9e0* 10e0"}, // gone meanwhile
		{api.EntryFilter{After: ip4(10)}, ""},
		{api.EntryFilter{After: netip.AddrFrom4([4]byte{})}, "1e0 2e0 2e1 2e2 9e0 9e0* 10e0"},
	} {
		got := ""
		for _, e := range page(table, c.f) {
			got += fmt.Sprintf(" %d%s%s", e.IP.As4()[3], e.Interface, []string{"", "*"}[only(e)])
		}
		if want := c.want; got != "" && got[1:] != want || got == "" && want != "" {
			t.Errorf("%+v: got%s, want %s", c.f, got, want)
		}
	}
	if diff := cmp.Diff(before, table, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("the backend's list was changed:\n%s", diff)
	}
}

// Client and server page together: every entry once, in order.
func TestPaging(t *testing.T) {
	r := start(t, stranger)
	const n = 40_000
	for i := range n {
		r.entries = append(r.entries, api.Entry{
			IP: netip.AddrFrom4([4]byte{10, 0, byte(i / 2 >> 8), byte(i / 2)}), Interface: fmt.Sprint("e", i%2), State: api.StateReachable,
		})
	}
	got, err := r.client.Entries(t.Context(), api.EntryFilter{})
	if err != nil || len(got) != n {
		t.Fatalf("got %d entries, %v", len(got), err)
	}
	for i := range got {
		if got[i] != r.entries[i] {
			t.Fatalf("entry %d is %+v, want %+v", i, got[i], r.entries[i])
		}
	}
	if calls := len(r.callsMade()); calls < 3 {
		t.Errorf("%d calls: that was no paging", calls)
	}
}
