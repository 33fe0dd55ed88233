//go:build linux

package record

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	here    = Scope{Boot: "this-boot", NetNS: "1"}
	there   = Scope{Boot: "this-boot", NetNS: "2"}
	earlier = Scope{Boot: "last-boot", NetNS: "1"}
)

// setting is a record of eth0's app_probes as a caller puts it.
func setting(old, new string) Record {
	return Record{Kind: "neigh-param", Index: 2, Name: "eth0", Key: "app_probes", Old: old, New: new}
}

// store opens a store in a directory.
func store(t *testing.T, dir string, scope Scope) *Store {
	t.Helper()
	s, err := Open(dir, scope)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, records ...Record) {
	t.Helper()
	if err := s.Put(records...); err != nil {
		t.Fatal(err)
	}
}

// values are the values of the records of the scope, "KEY OLD NEW PRIOR".
func values(t *testing.T, s *Store) (values []string) {
	t.Helper()
	list, _, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		values = append(values, fmt.Sprintf("%s %s %s %s", r.Key, r.Old, r.New, r.Prior))
	}
	return values
}

func TestFirstRecordWins(t *testing.T) {
	tests := []struct {
		name string
		puts []Record
		want []string
	}{
		{"one", []Record{setting("3", "0")}, []string{"app_probes 3 0 0"}},
		{"nothing to change", []Record{setting("0", "0")}, nil},
		{"set, killed, again", []Record{setting("3", "0"), setting("0", "0")}, []string{"app_probes 3 0 0"}},
		{"set, killed, another value", []Record{setting("3", "0"), setting("0", "1")}, []string{"app_probes 3 1 0"}},
		{"killed before it was set, twice", []Record{setting("3", "0"), setting("0", "1"), setting("0", "2")}, []string{"app_probes 3 2 0"}},
		{"three values", []Record{setting("3", "0"), setting("0", "1"), setting("1", "2")}, []string{"app_probes 3 2 1"}},
		{"not set before the kill", []Record{setting("3", "0"), setting("3", "1")}, []string{"app_probes 3 1 0"}},
		{"back at the old value", []Record{setting("3", "0"), setting("0", "3")}, []string{"app_probes 3 3 0"}},
		{"somebody else set it since", []Record{setting("3", "0"), setting("7", "0")}, []string{"app_probes 7 0 0"}},
		{
			"different settings",
			[]Record{
				setting("3", "0"),
				{Kind: "neigh-param", Index: 3, Name: "eth1", Key: "app_probes", Old: "4", New: "0"},
				{Kind: "conf", Index: 2, Name: "eth0", Key: "app_probes", Old: "5", New: "0"},
				{Kind: "neigh-param", Index: 2, Name: "eth0", Key: "ucast_probes", Old: "6", New: "0"},
			},
			[]string{"app_probes 3 0 0", "app_probes 4 0 0", "app_probes 5 0 0", "ucast_probes 6 0 0"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, r := range test.puts {
				put(t, store(t, dir, here), r)
			}
			if diff := cmp.Diff(test.want, values(t, store(t, dir, here))); diff != "" {
				t.Errorf("one by one (-want +got):\n%s", diff)
			}
			at := store(t, t.TempDir(), here)
			put(t, at, test.puts...)
			if diff := cmp.Diff(test.want, values(t, at)); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPutFillsInScopeAndTime(t *testing.T) {
	s := store(t, t.TempDir(), here)
	before := time.Now()
	r := setting("3", "0")
	r.Scope, r.Prior = there, "nonsense"
	put(t, s, r)
	list, _, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	want := setting("3", "0")
	want.Scope, want.Prior = here, "0"
	if diff := cmp.Diff([]Record{want}, list, cmpopts.IgnoreFields(Record{}, "Time")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if at := list[0].Time; at.Before(before.Round(0)) || at.After(time.Now()) {
		t.Errorf("time is %v, not between %v and now", at, before)
	}
	put(t, s, setting("0", "1"))
	after, _, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	if !after[0].Time.Equal(list[0].Time) {
		t.Errorf("the second Put changed the time from %v to %v", list[0].Time, after[0].Time)
	}
}

func TestScopesShareADirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, store(t, dir, earlier), setting("2", "0"))
	put(t, store(t, dir, there), setting("4", "0"))
	put(t, store(t, dir, here), setting("3", "0"))

	mine, elsewhere, err := store(t, dir, here).List()
	if err != nil {
		t.Fatal(err)
	}
	if len(mine) != 1 || mine[0].Old != "3" || len(elsewhere) != 1 || elsewhere[0].Old != "4" {
		t.Errorf("here %v, elsewhere %v", mine, elsewhere)
	}
	if err := store(t, dir, here).Remove(func(Record) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app_probes 4 0 0"}, values(t, store(t, dir, there))); diff != "" {
		t.Errorf("the other namespace (-want +got):\n%s", diff)
	}
	if got := values(t, store(t, dir, here)); got != nil {
		t.Errorf("after Remove: %v", got)
	}
}

func TestConcurrentPutsAllStay(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	var want []string
	for i := range 8 {
		s := store(t, dir, here)
		for j := range 4 {
			r := setting("3", "0")
			r.Index, r.Key = i, fmt.Sprintf("key-%d-%d", i, j)
			want = append(want, r.Key+" 3 0 0")
			group.Go(func() {
				if err := s.Put(r); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	got := values(t, store(t, dir, here))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
