package host

// backlog is the set of addresses of which a sink has to be told, oldest first.
// It holds keys only: what is told is what holds at that moment, so that a backlog
// shrinks and a late writer never leaves behind what was.
type backlog struct {
	order []entryKey
	set   map[entryKey]struct{}
}

// add notes that the sink has to be told of an address.
func (b *backlog) add(key entryKey) {
	if b.set == nil {
		b.set = make(map[entryKey]struct{})
	}
	if _, ok := b.set[key]; ok {
		return
	}
	b.set[key] = struct{}{}
	b.order = append(b.order, key)
}

// has reports whether the sink has to be told of an address.
func (b *backlog) has(key entryKey) bool {
	_, ok := b.set[key]
	return ok
}

// clear empties the backlog, whose memory is used again.
func (b *backlog) clear() {
	b.order = b.order[:0]
	clear(b.set)
}
