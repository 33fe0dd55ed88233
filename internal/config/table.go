package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// table reads one table of the file by the keys it should have. Each method
// named after a type stores the value of a key, if the table has the key and
// the value is of that type, and notes a problem if it is not; it reports
// whether it stored. [table.end] notes the keys that nobody asked for.
type table struct {
	reader *reader
	name   string // as messages show it: "interface"
	values map[string]any
	place  *place
	known  []string // keys asked for, in order
}

// problem notes that something is wrong with key.
func (t *table) problem(key, format string, args ...any) {
	t.reader.problem(t.at(key), t.path(key)+": "+fmt.Sprintf(format, args...))
}

// path returns key as messages show it: "interface.name".
func (t *table) path(key string) string {
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

// need notes a problem for each of keys that the table lacks.
func (t *table) need(keys ...string) {
	for _, key := range keys {
		if !t.has(key) {
			t.problem(key, "missing")
		}
	}
}

// oneOf returns the one of keys that the table has. It notes a problem and returns
// "" unless there is exactly one.
func (t *table) oneOf(keys ...string) string {
	var there []string
	for _, key := range keys {
		if t.has(key) {
			there = append(there, key)
		}
	}
	if len(there) != 1 {
		t.reader.problem(t.place, fmt.Sprintf("%s: want exactly one of the keys %s", t.name, strings.Join(keys, ", ")))
		return ""
	}
	return there[0]
}

// at returns the place of key, that of the table if it lacks the key.
func (t *table) at(key string) *place {
	if k := t.place.keys[key]; k != nil {
		return k
	}
	return t.place
}

// sub returns the table at key of t.
func (t *table) sub(key string, values map[string]any, place *place) *table {
	return &table{reader: t.reader, name: t.path(key), values: values, place: place}
}

// section reads the table [key], if there is one.
func (t *table) section(key string, read func(*table)) {
	if values, ok := get[map[string]any](t, key, "the table ["+t.path(key)+"]"); ok {
		sub := t.sub(key, values, t.place.keys[key])
		read(sub)
		sub.end()
	}
}

// sections reads each of the tables [[key]] in order.
func (t *table) sections(key string, read func(*table)) {
	want := "tables [[" + t.path(key) + "]]"
	items, _ := get[[]any](t, key, want)
	for n, item := range items {
		at := t.place.keys[key].items[n]
		values, ok := item.(map[string]any)
		if !ok {
			t.reader.problem(at, t.path(key)+": want "+want+", not "+typeName(item))
			continue
		}
		sub := t.sub(key, values, at)
		read(sub)
		sub.end()
	}
}

// has reports whether the table has key, of whatever type.
func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// keys returns the keys of the table in the order of the file.
func (t *table) keys() []string {
	return slices.SortedFunc(maps.Keys(t.values), func(a, b string) int { return t.at(a).compare(t.at(b)) })
}

// end notes a problem for each key that no method asked for.
func (t *table) end() {
	for _, key := range t.keys() {
		if slices.Contains(t.known, key) {
			continue
		}
		if near := nearest(key, t.known); near != "" {
			t.problem(key, "unknown key; did you mean %q?", near)
		} else {
			t.problem(key, "unknown key; known are %s", strings.Join(t.known, ", "))
		}
	}
}

// get returns the value of key if it has type T; want names that type.
func get[T any](t *table, key, want string) (v T, ok bool) {
	t.known = append(t.known, key)
	x, has := t.values[key]
	if !has {
		return v, false
	}
	if v, ok = x.(T); !ok {
		t.problem(key, "want %s, not %s", want, typeName(x))
	}
	return v, ok
}

// typeName names the TOML type of a value that toml.Unmarshal made.
func typeName(x any) string {
	switch x.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "an integer"
	case float64:
		return "a floating-point number"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

func (t *table) bool(key string, dst *bool) bool {
	v, ok := get[bool](t, key, "true or false")
	if ok {
		*dst = v
	}
	return ok
}

// int stores an integer from low to high.
func (t *table) int(key string, dst *int, low, high int) bool {
	v, ok := get[int64](t, key, "an integer")
	if ok && (v < int64(low) || v > int64(high)) {
		t.problem(key, "%d is not in %d..%d", v, low, high)
		ok = false
	}
	if ok {
		*dst = int(v)
	}
	return ok
}

// text stores the value that parse makes of a string.
func text[T any](t *table, key, want string, dst *T, parse func(string) (T, error)) bool {
	s, ok := get[string](t, key, want)
	if !ok {
		return false
	}
	v, err := parse(s)
	if err != nil {
		t.problem(key, "%v", err)
		return false
	}
	*dst = v
	return true
}

// list stores the values that parse makes of an array of strings.
func list[T any](t *table, key, want string, dst *[]T, parse func(string) (T, error)) bool {
	items, ok := get[[]any](t, key, "an array of strings, each "+want)
	if !ok {
		return false
	}
	values := make([]T, 0, len(items))
	for n, item := range items {
		v, err := parseItem(item, want, parse)
		if err != nil {
			t.reader.problem(t.place.keys[key].items[n], t.path(key)+": "+err.Error())
			ok = false
			continue
		}
		values = append(values, v)
	}
	*dst = values
	return ok
}

// set is [list] for values that may stand in the array once only.
func set[T comparable](t *table, key, want string, dst *[]T, parse func(string) (T, error)) bool {
	seen := make(map[T]bool)
	return list(t, key, want, dst, func(s string) (T, error) {
		v, err := parse(s)
		if err == nil && seen[v] {
			err = fmt.Errorf("%v is listed twice", v)
		}
		seen[v] = true
		return v, err
	})
}

func parseItem[T any](item any, want string, parse func(string) (T, error)) (v T, err error) {
	s, ok := item.(string)
	if !ok {
		return v, fmt.Errorf("want a string, %s, not %s", want, typeName(item))
	}
	return parse(s)
}

// choice stores one of a few words.
func choice[T ~string](t *table, key string, dst *T, choices ...T) bool {
	quoted := make([]string, len(choices))
	for i, c := range choices {
		quoted[i] = fmt.Sprintf("%q", string(c))
	}
	want := strings.Join(quoted, " or ")
	return text(t, key, want, dst, func(s string) (T, error) {
		if !slices.Contains(choices, T(s)) {
			return "", fmt.Errorf("%q: want %s", s, want)
		}
		return T(s), nil
	})
}

// duration stores a positive time such as "10s".
func (t *table) duration(key string, dst *time.Duration) bool {
	return text(t, key, `a string such as "10s"`, dst, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return 0, fmt.Errorf(`%q: want a time above zero such as "10s"`, s)
		}
		return d, nil
	})
}

func (t *table) file(key string, dst *string) bool {
	return text(t, key, "a path", dst, parsePath)
}

func (t *table) mac(key string, dst *lladdr.Addr) bool {
	return text(t, key, "a link-layer address", dst, parseMAC)
}

// sysctl stores the integers of a table of nodes. Dots in a name without quotes
// make tables in tables, which are put together again.
func (t *table) sysctl(key string, dst *map[string]int64, check func(name string, value int64) error) {
	if values, ok := get[map[string]any](t, key, "a table of nodes"); ok {
		*dst = make(map[string]int64)
		t.sub(key, values, t.place.keys[key]).nodes("", *dst, check)
	}
}

func (t *table) nodes(prefix string, dst map[string]int64, check func(string, int64) error) {
	for _, key := range t.keys() {
		name := prefix + key
		switch x := t.values[key].(type) {
		case map[string]any:
			t.sub(key, x, t.place.keys[key]).nodes(name+".", dst, check)
		case int64:
			if _, twice := dst[name]; twice { // quoted, and again in parts
				t.problem(key, "set twice")
			} else if err := check(name, x); err != nil {
				t.reader.problem(t.place.keys[key], withoutErrno(err)) // which says the name in full
			}
			dst[name] = x
		default:
			t.problem(key, "want an integer, not %s", typeName(x))
		}
	}
}

// withoutErrno returns the text of err without that of the errno at its end,
// which says nothing more to who edits a file.
func withoutErrno(err error) string {
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = strings.TrimSuffix(text, errno.Error())
	}
	return strings.TrimRight(text, ": ")
}
