package config

import (
	"cmp"
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where a value stands in the file, and where the values in it stand.
// A tree of places has the shape of the tree of values that toml.Unmarshal
// makes of the same text, which by itself says nothing of lines.
type place struct {
	line, column int // of the key, or of the array element; from 1
	keys         map[string]*place
	items        []*place
}

// compare orders places as the file does.
func (p *place) compare(q *place) int {
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.column, q.column))
}

// key returns the place of a key in p, made at line:column if it is new.
func (p *place) key(name string, line, column int) *place {
	if k := p.keys[name]; k != nil {
		return k
	}
	if p.keys == nil {
		p.keys = make(map[string]*place)
	}
	k := &place{line: line, column: column}
	p.keys[name] = k
	return k
}

// item appends the place of an array element to p.
func (p *place) item(line, column int) *place {
	i := &place{line: line, column: column}
	p.items = append(p.items, i)
	return i
}

// surveyor walks the syntax of a text to find the places.
type surveyor struct {
	parser unstable.Parser
	lines  []int // offset of the first byte of each line
}

// survey returns the tree of places of text, which must be valid TOML.
func survey(text []byte) *place {
	s := &surveyor{lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	s.parser.Reset(text)
	root := &place{line: 1, column: 1}
	table := root // where the keys that follow a table header belong
	for s.parser.NextExpression() {
		switch e := s.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = s.header(root, e)
		case unstable.KeyValue:
			s.keyValue(table, e)
		}
	}
	return root
}

// header returns the place of the table that [a.b] or [[a.b]] opens.
func (s *surveyor) header(p *place, e *unstable.Node) *place {
	for key := e.Key(); key.Next(); {
		line, column := s.position(p, key.Node())
		p = p.key(string(key.Node().Data), line, column)
		switch {
		case e.Kind == unstable.ArrayTable && key.IsLast():
			p = p.item(line, column)
		case len(p.items) > 0: // [a.b] after [[a]] is about the last a
			p = p.items[len(p.items)-1]
		}
	}
	return p
}

func (s *surveyor) keyValue(p *place, e *unstable.Node) {
	for key := e.Key(); key.Next(); {
		line, column := s.position(p, key.Node())
		p = p.key(string(key.Node().Data), line, column)
	}
	s.value(p, e.Value())
}

func (s *surveyor) value(p *place, v *unstable.Node) {
	for it := v.Children(); it.Next(); {
		switch n := it.Node(); v.Kind {
		case unstable.InlineTable:
			s.keyValue(p, n)
		case unstable.Array:
			s.value(p.item(s.position(p, n)), n)
		}
	}
}

// position returns line and column of n; those of p, which n lies in, for nodes
// that the parser keeps no range of.
func (s *surveyor) position(p *place, n *unstable.Node) (line, column int) {
	if n.Raw.Length == 0 {
		return p.line, p.column
	}
	offset := int(n.Raw.Offset)
	line = sort.SearchInts(s.lines, offset+1) // lines that begin at or before offset
	return line, offset - s.lines[line-1] + 1
}
