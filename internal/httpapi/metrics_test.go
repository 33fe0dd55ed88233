package httpapi

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
)

func sampleBackend() *fake {
	count := func(n uint64) api.Counters {
		return api.Counters{
			TxRequests: n, TxReplies: n + 1, TxErrors: n + 2, RxRequests: n + 3, RxReplies: n + 4, Received: n + 5,
			Dropped: n + 6, Timeouts: n + 7, DupIPs: n + 8, Drops: map[string]uint64{"short": n + 9, "not_for_us": n + 10},
		}
	}
	return &fake{
		stats: api.Stats{Counters: count(1000), Interfaces: []api.InterfaceStats{{Interface: "eth0", Counters: count(100)}, {Interface: "eth1", Counters: count(200)}}},
		status: api.Status{
			Version: "v0.1.0", LastSeq: 77,
			Tables: api.Tables{Entries: 1, Incomplete: 2, Permanent: 3, Published: 4, Networks: 5, Held: 6},
			Interfaces: []api.Interface{
				{Name: "eth0", Datapath: "kernel", State: "up", Entries: 8, MAC: "02:00:00:00:00:01", Addresses: []api.InterfaceAddr{
					{Prefix: netip.MustParsePrefix("192.0.2.1/24"), State: api.AddrVerified},
					{Prefix: netip.MustParsePrefix("192.0.2.2/24"), State: api.AddrVerified},
					{Prefix: netip.MustParsePrefix("192.0.2.3/24"), State: api.AddrDuplicate, Owner: "02:00:00:00:00:66"},
				}},
				{Name: "eth1", Datapath: "observe", State: "absent"},
			},
		},
	}
}

func TestMetrics(t *testing.T) {
	r := start(t, stranger)
	r.fake.stats, r.fake.status = sampleBackend().stats, sampleBackend().status
	r.fake.status.Interfaces = append(r.fake.status.Interfaces,
		api.Interface{Name: "isat0", Datapath: "tun", State: "up", Packets: map[string]uint64{"sent": 11, "queue_full": 12}})
	a := r.do(t, "GET", "/metrics", "")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("status %d, type %q: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	want := []string{
		"# TYPE isat_arp_requests_sent_total counter",
		"# HELP isat_arp_requests_sent_total ARP requests sent.",
		`isat_arp_requests_sent_total{interface="eth0"} 100`,
		`isat_arp_requests_sent_total{interface="eth1"} 200`,
		`isat_arp_replies_sent_total{interface="eth0"} 101`,
		`isat_arp_send_errors_total{interface="eth0"} 102`,
		`isat_arp_requests_received_total{interface="eth0"} 103`,
		`isat_arp_replies_received_total{interface="eth0"} 104`,
		`isat_arp_packets_received_total{interface="eth0"} 105`,
		`isat_arp_held_packets_dropped_total{interface="eth0"} 106`,
		`isat_arp_entries_timed_out_total{interface="eth0"} 107`,
		`isat_arp_duplicate_addresses_total{interface="eth0"} 108`,
		`isat_arp_packets_dropped_total{interface="eth0",reason="short"} 109`,
		`isat_arp_packets_dropped_total{interface="eth1",reason="not_for_us"} 210`,
		"# TYPE isat_entries gauge",
		"isat_entries 1", "isat_entries_incomplete 2", "isat_entries_permanent 3",
		"isat_entries_published 4", "isat_networks 5", "isat_held_packets 6",
		`isat_interface_entries{interface="eth0"} 8`,
		`isat_own_addresses{interface="eth0",state="verified"} 2`,
		`isat_own_addresses{interface="eth0",state="duplicate"} 1`,
		`isat_own_addresses{interface="eth0",state="probing"} 0`,
		`isat_interface_up{datapath="kernel",interface="eth0"} 1`,
		`isat_interface_up{datapath="observe",interface="eth1"} 0`,
		`isat_interface_packets_total{interface="isat0",kind="sent"} 11`,
		`isat_interface_packets_total{interface="isat0",kind="queue_full"} 12`,
		`isat_build_info{version="v0.1.0"} 1`,
		"isat_events_total 77",
	}
	for _, line := range want {
		if !strings.Contains(a.body, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	for _, name := range []string{"\ngo_goroutines ", "\nprocess_resident_memory_bytes "} {
		if !strings.Contains(a.body, name) {
			t.Errorf("no metric %s", name)
		}
	}
	for _, address := range []string{"192.0.2.1", "02:00:00"} {
		if strings.Contains(a.body, address) {
			t.Errorf("an address is in the metrics: %s", address)
		}
	}
	if t.Failed() {
		t.Log(a.body)
	}
}
