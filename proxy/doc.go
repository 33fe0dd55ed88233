// Package proxy has the rules of who is answered for whom: whether a request for
// an address is answered, with which link-layer address, and why. It is the last
// step of ARP's input, step 13 of facts/freebsd-arp.md 3.3, and has Linux'
// proxy_arp besides.
//
//	request ──▶ target ──▶ own ──▶ published ──▶ prefix ──▶ proxy_arp ──▶ proxyall ──▶ ignored
//	              │         │      entry │       rule │         │             │
//	           no host   answered    answered     answered   answered      answered
//	           has it                refused      refused       │          refused
//	                                                            └──────┬──────┘
//	                                                             or waits for the
//	                                                             routing decision
//
// [Rules] are the prefix rules, and [Rules.Decide] goes through the steps. What
// the host alone knows it asks of a [Host], and of a [Router] where packets to
// an address go. A [Decision] carries what each step found, as one small number
// each; [Decision.Explain] puts them into words. There is no second path for
// explanations: what explains is what decides.
//
// [RouteCache] is the Router of a host that has to ask somebody else, such as
// the kernel, for its routing decisions.
//
// The package is pure: it knows no operating system and has no clock. IPv4 only.
package proxy
