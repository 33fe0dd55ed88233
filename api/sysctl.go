package api

// SysctlNode is a node of the MIB (INTERFACES section 4): a tunable or a
// read-only counter.
type SysctlNode struct {
	Name        string `json:"name"`                // such as "net.link.ether.inet.max_age"
	Interface   string `json:"interface,omitempty"` // whose own value this is, "" for the host's
	Value       int64  `json:"value"`
	Default     int64  `json:"default"`
	Min         int64  `json:"min"`
	Max         int64  `json:"max"`
	Unit        string `json:"unit,omitempty"` // "seconds", "milliseconds", "" for a plain number
	ReadOnly    bool   `json:"readonly"`
	IsSet       bool   `json:"is_set"` // somebody chose this value, for the host or for just this interface
	Description string `json:"description"`
}

// Sysctls is the body of GET /v1/sysctl.
type Sysctls struct {
	Nodes []SysctlNode `json:"nodes"`
}

// SetSysctl is the body of PUT /v1/sysctl/NAME.
type SetSysctl struct {
	Value int64 `json:"value"`
}
