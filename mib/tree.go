// Package mib has the tunables and counters of an ARP host: one tree of named
// integers, as sysctl(8) shows them, with values for single interfaces, typed
// snapshots for those who act on them, and notification of changes.
//
// A [Tree] belongs to no host until a host is made with it, so that a
// configuration is checked by setting its values in a new one.
package mib

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Tree holds the value of every node. Its methods are safe for concurrent use,
// and [Tree.Settings] takes no lock.
//
// Interfaces are known by name alone and need not exist: a value may be set for
// one that is still to come.
type Tree struct {
	snapshot atomic.Pointer[snapshot] // stored with mu held

	mu       sync.Mutex
	nodes    map[string]Node
	counters map[string]func() uint64
	values   map[string]map[string]int64 // what was set, by interface ("" for the whole host) and node

	changes notifier
}

// New returns a tree of all tunables, with their default values and no counters.
func New() *Tree {
	t := &Tree{
		nodes:    make(map[string]Node, len(tunables)),
		counters: make(map[string]func() uint64),
		values:   make(map[string]map[string]int64),
	}
	for _, n := range tunables {
		t.nodes[n.Name] = n
	}
	t.publishLocked("")
	return t
}

// AddCounter adds a read-only node whose value read returns. The name is in full
// and begins with [StatsPrefix]; description is one phrase. read is called
// without a lock, by any goroutine. A wrong name and one that is there already
// are mistakes in the program: AddCounter panics.
func (t *Tree) AddCounter(name, description string, read func() uint64) {
	if rest, ok := strings.CutPrefix(name, StatsPrefix); !ok || rest == "" {
		panic("mib: counter " + name + " is not below " + StatsPrefix)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.nodes[name]; ok {
		panic("mib: counter " + name + " added twice")
	}
	t.nodes[name] = Node{Name: name, ReadOnly: true, Description: description}
	t.counters[name] = read
}

// Node returns the description of a node. The error wraps ENOENT if there is
// none, and names the most similar one.
func (t *Tree) Node(name string) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodeLocked(name)
}

// Nodes returns the descriptions of all nodes in the order of their names.
func (t *Tree) Nodes() []Node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Values(t.nodes), func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
}

// Walk returns the node with the name and those below it, as sysctl(8) shows
// them: Walk("net.link.ether.inet") those of that branch, Walk("") all. They
// come in the order of their names. The tree may change meanwhile.
func (t *Tree) Walk(name string) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for _, n := range t.Nodes() {
			below := name == "" || strings.HasPrefix(n.Name, name) && (len(n.Name) == len(name) || n.Name[len(name)] == '.')
			if below && !yield(n) {
				return
			}
		}
	}
}

// Get returns the value of a node in its unit. With an interface it is the value
// in force there: that set for the interface, else that of the whole host, which
// is the one returned for ifname "".
//
// The error wraps ENOENT for an unknown node, and EINVAL for a counter of an
// interface: counters are those of the whole host.
func (t *Tree) Get(name, ifname string) (int64, error) {
	n, v, read, err := t.get(name, ifname)
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading %s: %w", subject(name, ifname), err)
	case n.ReadOnly:
		return int64(read()), nil // outside of the lock: it may take others
	}
	return v, nil
}

func (t *Tree) get(name, ifname string) (n Node, v int64, read func() uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, err = t.nodeLocked(name); err != nil {
		return Node{}, 0, nil, err
	}
	if n.ReadOnly {
		if ifname != "" {
			err = fmt.Errorf("counted for the whole host only: %w", syscall.EINVAL)
		}
		return n, 0, t.counters[name], err
	}
	return n, t.valueLocked(n, ifname), nil, nil
}

// IsSet reports whether a value was set for just that interface, or for the
// whole host if ifname is "", and not reset since: whether [Tree.Get] gives
// somebody's choice, the same as the default perhaps. It is false for unknown
// nodes.
func (t *Tree) IsSet(name, ifname string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.values[ifname][name]
	return ok
}

// Set sets a node for the whole host (ifname "") or for one interface. Then it
// calls those of [Tree.OnChange] if the value changed or had not been set there.
//
// On an error nothing has changed. It wraps ENOENT for an unknown node, EPERM
// for a read-only one, and EINVAL for a value out of range, which the text
// names, and for a node without values for interfaces.
func (t *Tree) Set(name, ifname string, v int64) error {
	return t.change(name, ifname, func(n Node, values map[string]int64) error {
		if v < n.Min || v > n.Max {
			return fmt.Errorf("%d is out of range %s: %w", v, n.Range(), syscall.EINVAL)
		}
		values[name] = v
		return nil
	})
}

// Reset undoes [Tree.Set]: the value becomes that of the whole host, or the
// default if ifname is "". Nothing happens if it was not set. Errors are those of
// Set.
func (t *Tree) Reset(name, ifname string) error {
	return t.change(name, ifname, func(_ Node, values map[string]int64) error {
		delete(values, name)
		return nil
	})
}

// change is the one door for changes. The edit gets the node and what was set
// for the interface.
func (t *Tree) change(name, ifname string, edit func(Node, map[string]int64) error) error {
	t.mu.Lock()
	err := t.changeLocked(name, ifname, edit)
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("setting %s: %w", subject(name, ifname), err)
	}
	t.changes.deliver()
	return nil
}

func (t *Tree) changeLocked(name, ifname string, edit func(Node, map[string]int64) error) error {
	n, err := t.nodeLocked(name)
	switch {
	case err != nil:
		return err
	case n.ReadOnly:
		return fmt.Errorf("read-only: %w", syscall.EPERM)
	case ifname != "" && !n.PerInterface:
		return fmt.Errorf("an interface has no value of its own: %w", syscall.EINVAL)
	}
	values := t.values[ifname]
	if values == nil {
		values = make(map[string]int64)
	}
	_, wasSet := values[name]
	old := t.valueLocked(n, ifname)
	if err := edit(n, values); err != nil {
		return err
	}
	if len(values) > 0 {
		t.values[ifname] = values
	} else {
		delete(t.values, ifname)
	}
	_, isSet := values[name]
	c := Change{Name: name, Interface: ifname, Old: old, New: t.valueLocked(n, ifname), IsSet: isSet}
	if c.Old != c.New || wasSet != isSet {
		t.publishLocked(ifname)
		t.changes.add(c)
	}
	return nil
}

// valueLocked returns the value of a tunable in force on an interface.
func (t *Tree) valueLocked(n Node, ifname string) int64 {
	if v, ok := t.values[ifname][n.Name]; ok {
		return v
	}
	if v, ok := t.values[""][n.Name]; ok {
		return v
	}
	return n.Default
}

func (t *Tree) nodeLocked(name string) (Node, error) {
	n, ok := t.nodes[name]
	if ok {
		return n, nil
	}
	if near := nearest(name, maps.Keys(t.nodes)); near != "" {
		return Node{}, fmt.Errorf("no such node, did you mean %s? %w", near, syscall.ENOENT)
	}
	return Node{}, fmt.Errorf("no such node: %w", syscall.ENOENT)
}

// subject returns what an error text is about.
func subject(name, ifname string) string {
	if ifname == "" {
		return name
	}
	return name + " of " + ifname
}
