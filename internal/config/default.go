package config

import "time"

// Path is the file that the daemon reads when it is given neither a file nor an
// interface.
const Path = "/etc/isat/isat.toml"

// Socket is where the daemon listens unless it is told otherwise.
const Socket = "/run/isat/isat.sock"

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{Daemon: Daemon{
		Socket:      Socket,
		Read:        ReadAll,
		SocketGroup: "isat",
		RuntimeDir:  "/run/isat",
		StateDir:    "/var/lib/isat",
	}}
}

// DefaultInterface returns the settings of a section [[interface]] that only
// has a name, and of an interface that is named on the command line.
func DefaultInterface(name string) Interface {
	return Interface{
		Name:     name,
		Datapath: Kernel,
		ARP:      On,
		DAD:      true,
		Down:     DownAddress,
		Reprobe:  ReprobeAnnounce,
		Medium:   Ethernet,
		MTU:      1500, // RFC 894
	}
}

// defaultGroup returns the settings of a section [[ipmp]] without keys;
// Solaris' in.mpathd(1M) has the same.
func defaultGroup() Group {
	return Group{FailureDetection: 10 * time.Second, Failback: true}
}
