// Package getopt splits a command line into options and operands as getopt(3)
// does, for the personalities whose grammar is older than today's flag
// libraries: short options that may be combined (-ani eth0), whose argument may
// follow at once (-ieth0), and a few long ones.
package getopt

import (
	"fmt"
	"slices"
	"strings"
)

// Mode tells what comes after the first operand.
type Mode int

// The modes.
const (
	POSIX Mode = iota // operands only: POSIX.1-2017 section 12.2, guideline 9
	GNU               // options and operands in any order: getopt(3) of the GNU C library
)

// Grammar is the options of a program. It is plain data.
type Grammar struct {
	Short string   // letters, each with ':' after it if it takes an argument: "andfsSi:"
	Long  []string // names without "--", each with ':' at its end if it takes an argument
	Mode  Mode
}

// Option is one option of a command line.
type Option struct {
	Name  string // "i" or "libxo"
	Value string // its argument, if it takes one
}

// Parse splits args, which are without the name of the program. "--" ends the
// options, and "-" is an operand. The error has the words of BSD's getopt(3),
// without the name of the program; options and operands before it are returned.
func (g Grammar) Parse(args []string) (options []Option, operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return options, append(operands, args...), nil
		case strings.HasPrefix(arg, "--"):
			options, args, err = g.long(arg[2:], args, options)
		case arg != "-" && strings.HasPrefix(arg, "-"):
			options, args, err = g.short(arg[1:], args, options)
		case g.Mode == POSIX:
			return options, append(append(operands, arg), args...), nil
		default:
			operands = append(operands, arg)
		}
		if err != nil {
			return options, operands, err
		}
	}
	return options, operands, nil
}

// short reads the letters of one argument. It takes the argument of the last
// letter from args and returns what is left of them.
func (g Grammar) short(letters string, args []string, options []Option) ([]Option, []string, error) {
	for i := range len(letters) {
		letter := letters[i : i+1]
		at := strings.Index(g.Short, letter)
		if at < 0 || letter == ":" {
			return options, args, fmt.Errorf("illegal option -- %s", letter)
		}
		if !strings.HasPrefix(g.Short[at+1:], ":") {
			options = append(options, Option{Name: letter})
			continue
		}
		if rest := letters[i+1:]; rest != "" {
			return append(options, Option{letter, rest}), args, nil
		}
		if len(args) == 0 {
			return options, args, fmt.Errorf("option requires an argument -- %s", letter)
		}
		return append(options, Option{letter, args[0]}), args[1:], nil
	}
	return options, args, nil
}

// long reads one long option, name or name=value.
func (g Grammar) long(text string, args []string, options []Option) ([]Option, []string, error) {
	name, value, hasValue := strings.Cut(text, "=")
	switch {
	case slices.Contains(g.Long, name):
		if hasValue {
			return options, args, fmt.Errorf("option doesn't take an argument -- %s", name)
		}
		return append(options, Option{Name: name}), args, nil
	case !slices.Contains(g.Long, name+":"):
		return options, args, fmt.Errorf("unrecognized option -- %s", name)
	case hasValue:
		return append(options, Option{name, value}), args, nil
	case len(args) == 0:
		return options, args, fmt.Errorf("option requires an argument -- %s", name)
	}
	return append(options, Option{name, args[0]}), args[1:], nil
}
