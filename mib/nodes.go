package mib

// StatsPrefix begins the name of every counter.
const StatsPrefix = link + "stats."

// The two branches of the tree, with FreeBSD's names.
const (
	inet = "net.link.ether.inet."
	link = "net.link.ether.arp."
)

// maxSeconds is the greatest time in seconds whose milliseconds fit the 32-bit
// integers in which the Linux kernel keeps neighbour times: 24 days.
const maxSeconds = 2_147_483

// tunables is INTERFACES section 4: name, default, least and greatest value,
// description. Timers and limits may be set for one interface; what is a matter
// of the whole host, the switches and the log level, may not.
var tunables = []Node{
	// FreeBSD's, from arp(4) and if_ether.c. FreeBSD checks no range but that of
	// garp_rexmit_count (r306577); the reason for ours is at the line.
	seconds(inet+"max_age", 1200, 1, maxSeconds, "lifetime of a validated entry"),
	number(inet+"maxtries", 5, 1, 255, "requests without an answer before a host is considered down"), // one a second: 4 minutes
	toggle(inet+"useloopback", 1, "traffic to an own address goes through the loopback interface"),
	toggle(inet+"proxyall", 0, "answer for every host reachable through another interface"),
	toggle(inet+"log_arp_wrong_iface", 1, "log a claim on one interface to an address of another"),
	toggle(inet+"log_arp_movements", 1, "log an address that gets another link-layer address"),
	toggle(inet+"log_arp_permanent_modify", 1, "log a claim against a permanent entry"),
	seconds(inet+"wait", 20, 1, maxSeconds, "lifetime of an unanswered entry after its last request"),
	number(inet+"maxhold", 1, 1, 4096, "packets held for an unresolved host; the newest are kept"), // 4096 of 1500 bytes: 6 MB a host
	toggle(inet+"allow_multicast", 0, "accept a multicast link-layer address of a sender"),
	number(inet+"max_log_per_second", 1, 0, 1000, "diagnostics a second of one kind about one address; 0: none"), // beyond it is no limit
	number(inet+"garp_rexmit_count", 0, 0, 16, "announcements after the first, at doubling intervals; none with dad"),
	{Name: link + "log_level", Default: 6, Min: 0, Max: 7, Description: "syslog severity up to which diagnostics are shown"}, // RFC 5424 section 6.2.1

	// Ours.
	toggle(inet+"proxy_probes", 0, "prefix rules and proxyall answer probes (sender 0.0.0.0) too"), // FreeBSD always does
	number(inet+"max_entries", 65_536, 1, 1<<24, "dynamic entries of an interface"),                // 2^24: the hosts of a /8
	toggle(inet+"unarp", 0, "remove an entry when its owner says so"),                              // RFC 1868

	// Solaris' arp_* of ndd(8), in ip_tunables.c _arp_*; same defaults and ranges.
	milliseconds(link+"probe_delay", 1000, 0, 20_000, "greatest random delay before the first probe of an address"),
	milliseconds(link+"probe_interval", 1500, 10, 20_000, "time between probes, and after the last"),
	number(link+"probe_count", 3, 0, 20, "probes before an address is used; 0: no probing"),
	milliseconds(link+"fastprobe_delay", 100, 0, 20_000, "probe_delay where the driver reports link changes"),
	milliseconds(link+"fastprobe_interval", 150, 10, 20_000, "probe_interval where the driver reports link changes"),
	number(link+"fastprobe_count", 3, 0, 20, "probe_count where the driver reports link changes; 0: no probing"),
	milliseconds(link+"publish_interval", 2000, 1000, 20_000, "time between announcements of a new address"),
	number(link+"publish_count", 5, 1, 20, "announcements of a new address"),
	milliseconds(link+"defend_interval", 300_000, 0, 3_600_000, "time between periodic announcements of an address; 0: none"),
	number(link+"defend_rate", 100, 0, 20_000, "periodic announcements of an interface in defend_period; 0: none"),
	seconds(link+"defend_period", 3600, 5, 86_400, "time that defend_rate counts for"),
	milliseconds(link+"broadcast_interval", 15_000, 0, 3_600_000, "time in which one reply for an address at most is broadcast"), // _dad_announce_interval

	// Solaris' of its IP module, in ip_tunables.c with _ before the name.
	milliseconds(link+"dup_recovery", 300_000, 0, 3_600_000, "time between tries to use a duplicate address again; 0: never"),
	number(link+"max_defend", 3, 0, 1000, "conflicts in which an address is defended before it is given up"),
	number(link+"max_temp_defend", 1, 0, 1000, "max_defend for DHCP and temporary addresses"),
	seconds(link+"conflict_window", 30, 0, 999_999, "time after which a conflict no longer counts for the next"), // _defend_interval
}

// toggle is a switch of the whole host.
func toggle(name string, def int64, description string) Node {
	return Node{Name: name, Default: def, Min: 0, Max: 1, Description: description}
}

// number is a limit of an interface.
func number(name string, def, least, greatest int64, description string) Node {
	return Node{Name: name, Default: def, Min: least, Max: greatest, PerInterface: true, Description: description}
}

// seconds is a timer of an interface.
func seconds(name string, def, least, greatest int64, description string) Node {
	n := number(name, def, least, greatest, description)
	n.Unit = Seconds
	return n
}

// milliseconds is a timer of an interface.
func milliseconds(name string, def, least, greatest int64, description string) Node {
	n := number(name, def, least, greatest, description)
	n.Unit = Milliseconds
	return n
}
