//go:build linux

package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// host is a kernel with interfaces and settings.
type host struct {
	names  map[int]string
	values map[string]string // by "INDEX KEY"
	fails  error             // what Set fails with
	sets   []string          // what was set, in order
}

func (h *host) Interface(index int) (string, error) {
	if name, ok := h.names[index]; ok {
		return name, nil
	}
	return "", fmt.Errorf("interface %d: %w", index, syscall.ENODEV)
}

func (h *host) Get(r Record) (string, error) {
	if value, ok := h.values[at(r)]; ok {
		return value, nil
	}
	return "", fmt.Errorf("no %v: %w", r, syscall.ENOENT)
}

func (h *host) Set(r Record, value string) error {
	if h.fails != nil {
		return h.fails
	}
	h.values[at(r)] = value
	h.sets = append(h.sets, at(r)+"="+value)
	return nil
}

func at(r Record) string { return fmt.Sprintf("%d %s", r.Index, r.Key) }

func TestRestore(t *testing.T) {
	renamed := map[int]string{2: "lan0"}
	tests := []struct {
		name    string
		puts    []Record
		names   map[int]string
		present string // "" if there is no such setting
		fails   error
		outcome Outcome
		line    string // what a person reads
		value   string // afterwards
		kept    bool   // the record
	}{
		{
			name: "isat's value", puts: []Record{setting("3", "0")}, present: "0",
			outcome: Restored, value: "3", line: "neigh-param app_probes of eth0: 3, was 0",
		},
		{
			name: "never set", puts: []Record{setting("3", "0")}, present: "3",
			outcome: Unchanged, value: "3", line: "neigh-param app_probes of eth0: 3 already",
		},
		{
			name: "put over, not set", puts: []Record{setting("3", "0"), setting("0", "1")}, present: "0",
			outcome: Restored, value: "3", line: "neigh-param app_probes of eth0: 3, was 0",
		},
		{
			name: "put over, set", puts: []Record{setting("3", "0"), setting("0", "1")}, present: "1",
			outcome: Restored, value: "3", line: "neigh-param app_probes of eth0: 3, was 1",
		},
		{
			name: "somebody else's value", puts: []Record{setting("3", "0")}, present: "7",
			outcome: Foreign, value: "7",
			line: "neigh-param app_probes of eth0: left at 7, which isat did not set (isat set 0 and found 3)",
		},
		{
			name: "renamed", puts: []Record{setting("3", "0")}, names: renamed, present: "0",
			outcome: Restored, value: "3", line: "neigh-param app_probes of eth0 (now lan0): 3, was 0",
		},
		{
			name: "interface gone", puts: []Record{setting("3", "0")}, names: map[int]string{}, present: "0",
			outcome: Vanished, value: "0", line: "neigh-param app_probes of eth0: gone with its interface",
		},
		{
			name: "made again under its name", puts: []Record{setting("3", "0")}, names: map[int]string{9: "eth0"}, present: "0",
			outcome: Vanished, value: "0", line: "neigh-param app_probes of eth0: gone with its interface",
		},
		{
			name: "setting gone", puts: []Record{setting("3", "0")},
			outcome: Vanished, line: "neigh-param app_probes of eth0: gone with its interface",
		},
		{
			name: "interface goes just now", puts: []Record{setting("3", "0")}, present: "0", fails: syscall.ENODEV,
			outcome: Vanished, value: "0", line: "neigh-param app_probes of eth0: gone with its interface",
		},
		{
			name: "no permission", puts: []Record{setting("3", "0")}, present: "0", fails: syscall.EPERM,
			outcome: Failed, value: "0", kept: true, line: "neigh-param app_probes of eth0: operation not permitted",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{names: test.names, values: map[string]string{}, fails: test.fails}
			if h.names == nil {
				h.names = map[int]string{2: "eth0"}
			}
			if test.present != "" {
				h.values["2 app_probes"] = test.present
			}
			s := store(t, t.TempDir(), here)
			for _, r := range test.puts {
				put(t, s, r)
			}
			results, err := s.Restore(t.Context(), h, nil)
			if !errors.Is(err, test.fails) && test.outcome == Failed || err != nil && test.outcome != Failed {
				t.Errorf("error %v", err)
			}
			if len(results) != 1 || results[0].Outcome != test.outcome || results[0].String() != test.line {
				t.Errorf("results %v, want %v: %q", results, test.outcome, test.line)
			}
			if got := h.values["2 app_probes"]; got != test.value {
				t.Errorf("the value is %q, want %q", got, test.value)
			}
			if got := values(t, s); len(got) != 0 != test.kept {
				t.Errorf("records %v, want kept %v", got, test.kept)
			}

			// Again, with somebody's new value there: nothing is to be done.
			if test.kept {
				return
			}
			h.values["2 app_probes"], h.sets = "0", nil
			results, err = s.Restore(t.Context(), h, nil)
			if err != nil || len(results) != 0 || len(h.sets) != 0 {
				t.Errorf("the second time: %v, %v, set %v", results, err, h.sets)
			}
		})
	}
}

func TestRestoreInReverseOrderOnlyWhatMatches(t *testing.T) {
	h := &host{names: map[int]string{2: "eth0", 3: "eth1"}, values: map[string]string{}}
	s := store(t, t.TempDir(), here)
	for _, index := range []int{2, 3, 0} {
		for _, key := range []string{"a", "b"} {
			r := Record{Kind: "conf", Index: index, Name: h.names[index], Key: key, Old: "old", New: "new"}
			put(t, s, r)
			h.values[at(r)] = "new"
		}
	}
	if _, err := s.Restore(t.Context(), h, func(r Record) bool { return r.Index == 2 }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2 b=old", "2 a=old"}, h.sets); diff != "" {
		t.Errorf("eth0 alone (-want +got):\n%s", diff)
	}
	h.sets = nil
	if _, err := s.Restore(t.Context(), h, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0 b=old", "0 a=old", "3 b=old", "3 a=old"}, h.sets); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestRestoreLeavesOtherScopesAlone(t *testing.T) {
	dir := t.TempDir()
	h := &host{names: map[int]string{2: "eth0"}, values: map[string]string{"2 app_probes": "0"}}
	put(t, store(t, dir, earlier), setting("2", "0"))
	s := store(t, dir, here)
	if results, err := s.Restore(t.Context(), h, nil); err != nil || len(results) != 0 {
		t.Errorf("a record of another boot: %v, %v", results, err)
	}
	put(t, store(t, dir, there), setting("4", "0"))
	results, err := s.Restore(t.Context(), h, nil)
	if err != nil || len(results) != 1 || results[0].Outcome != Elsewhere || !strings.Contains(results[0].String(), "cookie 2") {
		t.Errorf("a record of another namespace: %v, %v", results, err)
	}
	if len(h.sets) != 0 {
		t.Errorf("it set %v", h.sets)
	}
	if diff := cmp.Diff([]string{"app_probes 4 0 0"}, values(t, store(t, dir, there))); diff != "" {
		t.Errorf("the other namespace's records (-want +got):\n%s", diff)
	}
	if got := values(t, store(t, dir, earlier)); got != nil {
		t.Errorf("the records of another boot are still there: %v", got)
	}
}

func TestRestoreEndsWithItsContext(t *testing.T) {
	h := &host{names: map[int]string{2: "eth0"}, values: map[string]string{"2 app_probes": "0"}}
	s := store(t, t.TempDir(), here)
	put(t, s, setting("3", "0"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Restore(ctx, h, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"app_probes 3 0 0"}, values(t, s)); diff != "" || len(h.sets) != 0 {
		t.Errorf("set %v, records (-want +got):\n%s", h.sets, diff)
	}
}
