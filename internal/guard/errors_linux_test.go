//go:build linux

package guard

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What kernels without the features answer cannot be had from this one, so the
// errnos here are from the kernel's source, net/netfilter/nf_tables_api.c and
// nfnetlink.c.
func TestExplainCreate(t *testing.T) {
	tests := []struct {
		name    string
		command uint16
		errno   unix.Errno
		feature string // of an UnsupportedError
		taken   bool   // a TakenError
	}{
		{name: "no capability", command: noCommand, errno: unix.EPERM},
		{name: "no nf_tables", command: noCommand, errno: unix.EOPNOTSUPP, feature: featureNFTables},
		{name: "no memory for the batch", command: noCommand, errno: unix.ENOMEM},
		{name: "Linux 5.11", command: unix.NFT_MSG_NEWTABLE, errno: unix.EINVAL, feature: featureOwner},
		{name: "flag unknown", command: unix.NFT_MSG_NEWTABLE, errno: unix.EOPNOTSUPP, feature: featureOwner},
		{name: "family unknown", command: unix.NFT_MSG_NEWTABLE, errno: unix.EAFNOSUPPORT, feature: featureARP},
		{name: "table without owner", command: unix.NFT_MSG_NEWTABLE, errno: unix.EEXIST, taken: true},
		{name: "table of another owner", command: unix.NFT_MSG_NEWTABLE, errno: unix.EPERM, taken: true},
		{name: "no chain type", command: unix.NFT_MSG_NEWCHAIN, errno: unix.ENOENT, feature: featureARP},
		{name: "no hooks", command: unix.NFT_MSG_NEWCHAIN, errno: unix.EOPNOTSUPP, feature: featureARP},
		{name: "no set type", command: unix.NFT_MSG_NEWSET, errno: unix.EOPNOTSUPP, feature: featureSet},
		{name: "no expression", command: unix.NFT_MSG_NEWRULE, errno: unix.ENOENT, feature: featureSet},
		{name: "no memory for a rule", command: unix.NFT_MSG_NEWRULE, errno: unix.ENOMEM},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			owner := func() (uint32, error) { return 7, nil }
			err := explainCreate(&refusal{test.command, test.errno}, arpTable(), owner)
			var unsupported *UnsupportedError
			var feature string
			if errors.As(err, &unsupported) {
				feature = unsupported.Feature
			}
			var taken *TakenError
			if feature != test.feature || errors.As(err, &taken) != test.taken {
				t.Errorf("got %v, want feature %q, taken %v", err, test.feature, test.taken)
			}
			if !test.taken && !errors.Is(err, test.errno) {
				t.Errorf("%v does not wrap %v", err, test.errno)
			}
		})
	}
}

func TestExplainChange(t *testing.T) {
	tests := []struct {
		name    string
		command uint16
		errno   unix.Errno
		lost    bool
	}{
		{"table gone", unix.NFT_MSG_DELSETELEM, unix.ENOENT, true},
		{"table made anew by another", unix.NFT_MSG_DELSETELEM, unix.EPERM, true},
		{"capability lost", noCommand, unix.EPERM, false},
		{"no memory", unix.NFT_MSG_NEWSETELEM, unix.ENOMEM, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := explainChange(&refusal{test.command, test.errno})
			if errors.Is(err, ErrLost) != test.lost || !errors.Is(err, test.errno) {
				t.Errorf("got %v, want lost %v", err, test.lost)
			}
		})
	}
}
