package event

import "strconv"

// Severity is the severity of a diagnostic, numbered as in RFC 5424 section
// 6.2.1 and syslog(3): the smaller, the worse. The zero Severity goes with
// events without a message.
type Severity uint8

// The severities in use.
const (
	Error   Severity = 3
	Warning Severity = 4
	Notice  Severity = 5
	Info    Severity = 6
	Debug   Severity = 7
)

// String returns the name of s in lower case, such as "warning", or "severity
// N" for those that isat does not use.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Notice:
		return "notice"
	case Info:
		return "info"
	case Debug:
		return "debug"
	}
	return "severity " + strconv.Itoa(int(s))
}
