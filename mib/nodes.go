package mib

// The two branches of the tree, with FreeBSD's names, and the one for counters.
const (
	inet = "net.link.ether.inet."
	link = "net.link.ether.arp."

	// StatsPrefix begins the name of every counter.
	StatsPrefix = link + "stats."
)

// maxSeconds is the greatest time in seconds whose milliseconds fit the 32-bit
// integers in which the Linux kernel keeps neighbour times: 24 days.
const maxSeconds = 2_147_483

// tunables is INTERFACES section 4. Names, defaults and meanings of the first
// branch are FreeBSD's, from arp(4); FreeBSD checks no range but that of
// garp_rexmit_count, so that the others are ours, with the reason at the line.
// Defaults and ranges of the second branch are Solaris', from its ip_tunables.c
// (C09: arp_*, R10: _arp_*), in its units.
//
// Timers and limits may be set for one interface; what is a matter of the whole
// host, such as switches and the log level, may not.
var tunables = []Node{
	// Name, Default, Min, Max, Unit, PerInterface, ReadOnly, Description
	{inet + "max_age", 1200, 1, maxSeconds, Seconds, true, false, "lifetime of a validated entry"},                                             // arp(4)
	{inet + "maxtries", 5, 1, 255, Number, true, false, "requests without an answer before a host is considered down"},                         // arp(4); one a second: 255 are 4 minutes
	{inet + "useloopback", 1, 0, 1, Number, false, false, "traffic to an own address goes through the loopback interface"},                     // arp(4)
	{inet + "proxyall", 0, 0, 1, Number, false, false, "answer for every host reachable through another interface"},                            // arp(4)
	{inet + "proxy_probes", 0, 0, 1, Number, false, false, "prefix rules and proxyall answer probes (sender 0.0.0.0) too"},                     // ours; 1 is FreeBSD's behaviour
	{inet + "log_arp_wrong_iface", 1, 0, 1, Number, false, false, "log a claim on one interface to an address of another"},                     // arp(4)
	{inet + "log_arp_movements", 1, 0, 1, Number, false, false, "log an address that gets another link-layer address"},                         // arp(4)
	{inet + "log_arp_permanent_modify", 1, 0, 1, Number, false, false, "log a claim against a permanent entry"},                                // arp(4)
	{inet + "wait", 20, 1, maxSeconds, Seconds, true, false, "lifetime of an unanswered entry after its last request"},                         // FreeBSD r215207
	{inet + "maxhold", 1, 1, 4096, Number, true, false, "packets held for an unresolved host; the newest are kept"},                            // FreeBSD r215207; 4096 full frames are 6 MB a host
	{inet + "allow_multicast", 0, 0, 1, Number, false, false, "accept a multicast link-layer address of a sender"},                             // arp(4) of FreeBSD 10
	{inet + "max_log_per_second", 1, 0, 1000, Number, true, false, "diagnostics a second of one kind about one address; 0: none"},              // arp(4) of FreeBSD 10; 1000: no flood of the log
	{inet + "garp_rexmit_count", 0, 0, 16, Number, true, false, "announcements after the first, at doubling intervals"},                        // FreeBSD r306577, default and range
	{inet + "max_entries", 65536, 1, 1 << 24, Number, true, false, "dynamic entries of an interface"},                                          // ours; 2^24: the hosts of a /8
	{inet + "unarp", 0, 0, 1, Number, false, false, "remove an entry when its owner says so (RFC 1868)"},                                       // ours
	{link + "log_level", 6, 0, 7, Number, false, false, "syslog severity up to which diagnostics are shown"},                                   // FreeBSD; RFC 5424 section 6.2.1
	{link + "probe_delay", 1000, 0, 20000, Milliseconds, true, false, "greatest random delay before the first probe of an address"},            // arp_probe_delay
	{link + "probe_interval", 1500, 10, 20000, Milliseconds, true, false, "time between probes, and after the last"},                           // arp_probe_interval
	{link + "probe_count", 3, 0, 20, Number, true, false, "probes before an address is used; 0: no probing"},                                   // arp_probe_count
	{link + "fastprobe_delay", 100, 0, 20000, Milliseconds, true, false, "probe_delay where the driver reports link changes"},                  // arp_fastprobe_delay
	{link + "fastprobe_interval", 150, 10, 20000, Milliseconds, true, false, "probe_interval where the driver reports link changes"},           // arp_fastprobe_interval
	{link + "fastprobe_count", 3, 0, 20, Number, true, false, "probe_count where the driver reports link changes; 0: no probing"},              // arp_fastprobe_count
	{link + "publish_interval", 2000, 1000, 20000, Milliseconds, true, false, "time between announcements of a new address"},                   // arp_publish_interval
	{link + "publish_count", 5, 1, 20, Number, true, false, "announcements of a new address"},                                                  // arp_publish_count
	{link + "defend_interval", 300000, 0, 3600000, Milliseconds, true, false, "time between periodic announcements of an address; 0: none"},    // arp_defend_interval
	{link + "defend_rate", 100, 0, 20000, Number, true, false, "periodic announcements of an interface in defend_period; 0: none"},             // arp_defend_rate
	{link + "defend_period", 3600, 5, 86400, Seconds, true, false, "time that defend_rate counts for"},                                         // arp_defend_period
	{link + "broadcast_interval", 15000, 0, 3600000, Milliseconds, true, false, "time for which one reply for an address at most is broadcast"}, // arp_broadcast_interval
	{link + "dup_recovery", 300000, 0, 3600000, Milliseconds, true, false, "time between tries to use a duplicate address again; 0: never"},    // _dup_recovery
	{link + "max_defend", 3, 0, 1000, Number, true, false, "conflicts in which an address is defended before it is given up"},                  // _max_defend
	{link + "max_temp_defend", 1, 0, 1000, Number, true, false, "max_defend for DHCP and temporary addresses"},                                 // _max_temp_defend
	{link + "conflict_window", 30, 0, 999999, Seconds, true, false, "time after which a conflict no longer counts for the next"},               // _defend_interval of the IP side
}
