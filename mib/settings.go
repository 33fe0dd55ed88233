package mib

import (
	"time"

	"github.com/isat-project/isat/event"
)

// Settings is the tunables in force, typed: those of the whole host or those of
// one interface. It is immutable: a change makes a new one. The nodes of the
// same names say what each means; durations are in their own unit here, not in
// that of the node.
type Settings struct {
	MaxAge          time.Duration // net.link.ether.inet.max_age
	Wait            time.Duration // net.link.ether.inet.wait
	MaxTries        int           // net.link.ether.inet.maxtries
	MaxHold         int           // net.link.ether.inet.maxhold
	MaxLogPerSecond int           // net.link.ether.inet.max_log_per_second
	GarpRexmitCount int           // net.link.ether.inet.garp_rexmit_count
	MaxEntries      int           // net.link.ether.inet.max_entries

	UseLoopback        bool           // net.link.ether.inet.useloopback
	ProxyAll           bool           // net.link.ether.inet.proxyall
	ProxyProbes        bool           // net.link.ether.inet.proxy_probes
	LogWrongIface      bool           // net.link.ether.inet.log_arp_wrong_iface
	LogMovements       bool           // net.link.ether.inet.log_arp_movements
	LogPermanentModify bool           // net.link.ether.inet.log_arp_permanent_modify
	AllowMulticast     bool           // net.link.ether.inet.allow_multicast
	UnARP              bool           // net.link.ether.inet.unarp
	LogLevel           event.Severity // net.link.ether.arp.log_level

	ACD ACD
}

// ACD is the tunables of address conflict detection.
type ACD struct {
	ProbeDelay        time.Duration // net.link.ether.arp.probe_delay
	ProbeInterval     time.Duration // net.link.ether.arp.probe_interval
	ProbeCount        int           // net.link.ether.arp.probe_count
	FastProbeDelay    time.Duration // net.link.ether.arp.fastprobe_delay
	FastProbeInterval time.Duration // net.link.ether.arp.fastprobe_interval
	FastProbeCount    int           // net.link.ether.arp.fastprobe_count
	PublishInterval   time.Duration // net.link.ether.arp.publish_interval
	PublishCount      int           // net.link.ether.arp.publish_count
	DefendInterval    time.Duration // net.link.ether.arp.defend_interval
	DefendRate        int           // net.link.ether.arp.defend_rate
	DefendPeriod      time.Duration // net.link.ether.arp.defend_period
	BroadcastInterval time.Duration // net.link.ether.arp.broadcast_interval
	DupRecovery       time.Duration // net.link.ether.arp.dup_recovery
	MaxDefend         int           // net.link.ether.arp.max_defend
	MaxTempDefend     int           // net.link.ether.arp.max_temp_defend
	ConflictWindow    time.Duration // net.link.ether.arp.conflict_window
}

// newSettings returns the settings in which the tunable with a name has the
// value that the function returns, in the unit of the node.
func newSettings(lookup func(name string) (Node, int64)) *Settings {
	number := func(name string) int {
		_, v := lookup(name)
		return int(v)
	}
	isSet := func(name string) bool { return number(name) != 0 }
	duration := func(name string) time.Duration {
		n, v := lookup(name)
		return n.duration(v)
	}
	return &Settings{
		MaxAge:             duration(inet + "max_age"),
		Wait:               duration(inet + "wait"),
		MaxTries:           number(inet + "maxtries"),
		MaxHold:            number(inet + "maxhold"),
		MaxLogPerSecond:    number(inet + "max_log_per_second"),
		GarpRexmitCount:    number(inet + "garp_rexmit_count"),
		MaxEntries:         number(inet + "max_entries"),
		UseLoopback:        isSet(inet + "useloopback"),
		ProxyAll:           isSet(inet + "proxyall"),
		ProxyProbes:        isSet(inet + "proxy_probes"),
		LogWrongIface:      isSet(inet + "log_arp_wrong_iface"),
		LogMovements:       isSet(inet + "log_arp_movements"),
		LogPermanentModify: isSet(inet + "log_arp_permanent_modify"),
		AllowMulticast:     isSet(inet + "allow_multicast"),
		UnARP:              isSet(inet + "unarp"),
		LogLevel:           event.Severity(number(link + "log_level")),
		ACD: ACD{
			ProbeDelay:        duration(link + "probe_delay"),
			ProbeInterval:     duration(link + "probe_interval"),
			ProbeCount:        number(link + "probe_count"),
			FastProbeDelay:    duration(link + "fastprobe_delay"),
			FastProbeInterval: duration(link + "fastprobe_interval"),
			FastProbeCount:    number(link + "fastprobe_count"),
			PublishInterval:   duration(link + "publish_interval"),
			PublishCount:      number(link + "publish_count"),
			DefendInterval:    duration(link + "defend_interval"),
			DefendRate:        number(link + "defend_rate"),
			DefendPeriod:      duration(link + "defend_period"),
			BroadcastInterval: duration(link + "broadcast_interval"),
			DupRecovery:       duration(link + "dup_recovery"),
			MaxDefend:         number(link + "max_defend"),
			MaxTempDefend:     number(link + "max_temp_defend"),
			ConflictWindow:    duration(link + "conflict_window"),
		},
	}
}
