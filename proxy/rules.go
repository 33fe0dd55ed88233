package proxy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gaissmai/bart"
)

// Rules is a set of prefix rules. On an interface the rule with the longest
// prefix holds. The zero Rules is empty and ready for use.
//
// All methods are safe for concurrent use. Those that read take no lock: a
// change puts a new immutable set in the place of the old one.
type Rules struct {
	mu  sync.Mutex // held by changes
	set atomic.Pointer[set]
}

// set is the rules at one time. It never changes.
type set struct {
	links map[string]*bart.Table[*rule] // by interface; no empty tables
}

// Add adds rules, all of them or, if there is an error, none. The error wraps
// EINVAL for a rule that makes no sense, and EEXIST if there is one with the same
// prefix and interface.
//
// A rule may be there before its interface; one whose link-layer address is no
// station's there refuses.
func (r *Rules) Add(rules ...Rule) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.load().add(rules)
	if err != nil {
		return err
	}
	r.set.Store(next)
	return nil
}

// Set adds a rule or puts it in the place of the one with the same prefix and
// interface, and reports whether it is new. The error is that of [Rules.Add], but
// never EEXIST.
func (r *Rules) Set(rule Rule) (created bool, err error) {
	if err := rule.check(); err != nil {
		return false, fmt.Errorf("setting the proxy rule for %v on %q: %w", rule.Prefix, rule.Interface, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.load()
	r.set.Store(old.with(rule))
	return !old.has(rule.Interface, rule.Prefix), nil
}

// Remove removes a rule. The error wraps ENXIO if it is not there.
func (r *Rules) Remove(ifname string, prefix netip.Prefix) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.load()
	if !old.has(ifname, prefix) {
		return fmt.Errorf("removing the proxy rule for %v on %q: no such rule: %w", prefix, ifname, syscall.ENXIO)
	}
	r.set.Store(old.without(ifname, prefix))
	return nil
}

// List returns the rules by interface and address, shorter prefixes first. The
// caller may keep and change them.
func (r *Rules) List() []Rule {
	s := r.load()
	var all []Rule
	for _, ifname := range slices.Sorted(maps.Keys(s.links)) {
		for _, in := range s.links[ifname].AllSorted4() {
			all = append(all, in.clone())
		}
	}
	return all
}

// Len returns the number of rules.
func (r *Rules) Len() int {
	n := 0
	for _, table := range r.load().links {
		n += table.Size()
	}
	return n
}

// Lookup returns the rule that holds for an address on an interface.
func (r *Rules) Lookup(ifname string, ip netip.Addr) (Rule, bool) {
	if in := r.load().lookup(ifname, ip); in != nil {
		return in.clone(), true
	}
	return Rule{}, false
}

// load returns the present set.
func (r *Rules) load() *set {
	if s := r.set.Load(); s != nil {
		return s
	}
	return noRules
}

// noRules is the set of a zero Rules.
var noRules = new(set)

// lookup returns the rule that holds, nil if there is none.
func (s *set) lookup(ifname string, ip netip.Addr) *rule {
	table := s.links[ifname]
	if table == nil {
		return nil
	}
	in, _ := table.Lookup(ip)
	return in
}

func (s *set) has(ifname string, prefix netip.Prefix) bool {
	table := s.links[ifname]
	if table == nil {
		return false
	}
	_, ok := table.Get(prefix)
	return ok
}

// add returns s with rules that are new.
func (s *set) add(rules []Rule) (*set, error) {
	next := &set{links: make(map[string]*bart.Table[*rule], len(s.links)+1)}
	maps.Copy(next.links, s.links)
	own := make(map[string]bool) // whose table no reader has
	for _, r := range rules {
		err := r.check()
		if err == nil && next.has(r.Interface, r.Prefix) {
			err = syscall.EEXIST
		}
		if err != nil {
			return nil, fmt.Errorf("adding the proxy rule for %v on %q: %w", r.Prefix, r.Interface, err)
		}
		table := next.links[r.Interface]
		switch {
		case table == nil:
			table, own[r.Interface] = new(bart.Table[*rule]), true
		case !own[r.Interface] && len(rules) > 1:
			// One copy of it all costs less than one of its upper part a rule.
			table, own[r.Interface] = table.Clone(), true
		}
		if own[r.Interface] {
			table.Insert(r.Prefix, newRule(r))
		} else {
			table = table.InsertPersist(r.Prefix, newRule(r))
		}
		next.links[r.Interface] = table
	}
	return next, nil
}

// with returns s with r, which has been checked.
func (s *set) with(r Rule) *set {
	table := s.links[r.Interface]
	if table == nil {
		table = new(bart.Table[*rule])
	}
	return s.withTable(r.Interface, table.InsertPersist(r.Prefix, newRule(r)))
}

// without returns s but the rule, which is in s.
func (s *set) without(ifname string, prefix netip.Prefix) *set {
	return s.withTable(ifname, s.links[ifname].DeletePersist(prefix))
}

// withTable returns s with the rules of one interface.
func (s *set) withTable(ifname string, table *bart.Table[*rule]) *set {
	links := make(map[string]*bart.Table[*rule], len(s.links)+1)
	maps.Copy(links, s.links)
	links[ifname] = table
	if table.Size() == 0 {
		delete(links, ifname)
	}
	return &set{links: links}
}
