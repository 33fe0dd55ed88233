package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// maxScrapes bounds how many scrapes are answered at a time: a scrape looks at
// everything, and one server asks for it every 15 s.
const maxScrapes = 4

// scrapeTimeout bounds the backend's part of a scrape; a Prometheus server
// waits 10 s.
const scrapeTimeout = 5 * time.Second

// metrics answers in the text format of Prometheus.
func (s *Server) metrics() func(http.ResponseWriter, *http.Request) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s.backend), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	busy := make(chan struct{}, maxScrapes)
	return func(w http.ResponseWriter, r *http.Request) error {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		default:
			return fmt.Errorf("%d scrapes are under way: %w", maxScrapes, syscall.EAGAIN)
		}
		// Gathered here and not by promhttp, whose errors are plain text.
		families, err := registry.Gather()
		if err != nil {
			return fmt.Errorf("gathering metrics: %w", err)
		}
		gathered := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
		promhttp.HandlerFor(gathered, promhttp.HandlerOpts{}).ServeHTTP(w, r)
		return nil
	}
}

// collector turns what the backend counts into metrics when asked, so that the
// packet path knows nothing of Prometheus. No label has an address in it: there
// would be as many series as hosts, and the metrics are open to many.
type collector struct {
	backend    Backend
	counters   []counterMetric
	drops      *prometheus.Desc
	tables     []tableMetric
	interfaces *prometheus.Desc
	addresses  *prometheus.Desc
	up         *prometheus.Desc
	packets    *prometheus.Desc
	info       *prometheus.Desc
	events     *prometheus.Desc
}

type counterMetric struct {
	desc  *prometheus.Desc
	value func(*api.Counters) uint64
}

type tableMetric struct {
	desc  *prometheus.Desc
	value func(*api.Tables) int
}

func newCollector(b Backend) *collector {
	perInterface := []string{"interface"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("isat_"+name, help, labels, nil)
	}
	counter := func(name, help string, value func(*api.Counters) uint64) counterMetric {
		return counterMetric{desc("arp_"+name+"_total", help, perInterface...), value}
	}
	table := func(name, help string, value func(*api.Tables) int) tableMetric {
		return tableMetric{desc(name, help), value}
	}
	return &collector{
		backend: b,
		counters: []counterMetric{
			counter("requests_sent", "ARP requests sent.", func(c *api.Counters) uint64 { return c.TxRequests }),
			counter("replies_sent", "ARP replies sent.", func(c *api.Counters) uint64 { return c.TxReplies }),
			counter("send_errors", "ARP packets that could not be sent.", func(c *api.Counters) uint64 { return c.TxErrors }),
			counter("requests_received", "ARP requests received.", func(c *api.Counters) uint64 { return c.RxRequests }),
			counter("replies_received", "ARP replies received.", func(c *api.Counters) uint64 { return c.RxReplies }),
			counter("packets_received", "ARP packets received.", func(c *api.Counters) uint64 { return c.Received }),
			counter("held_packets_dropped", "IP packets held for an unresolved host and lost.", func(c *api.Counters) uint64 { return c.Dropped }),
			counter("entries_timed_out", "Entries removed by a timer.", func(c *api.Counters) uint64 { return c.Timeouts }),
			counter("duplicate_addresses", "Claims by others of an own address.", func(c *api.Counters) uint64 { return c.DupIPs }),
		},
		drops: desc("arp_packets_dropped_total", "ARP packets not acted on, by reason.", "interface", "reason"),
		tables: []tableMetric{
			table("entries", "ARP entries.", func(t *api.Tables) int { return t.Entries }),
			table("entries_incomplete", "ARP entries without an answer yet.", func(t *api.Tables) int { return t.Incomplete }),
			table("entries_permanent", "ARP entries that do not age.", func(t *api.Tables) int { return t.Permanent }),
			table("entries_published", "ARP entries answered for.", func(t *api.Tables) int { return t.Published }),
			table("networks", "Routes that are not host routes.", func(t *api.Tables) int { return t.Networks }),
			table("held_packets", "Packets held for unresolved hosts.", func(t *api.Tables) int { return t.Held }),
		},
		interfaces: desc("interface_entries", "ARP entries of the interface.", perInterface...),
		addresses:  desc("own_addresses", "Own addresses of the interface, by their state; those in state duplicate and recovering are somebody else's.", "interface", "state"),
		up:         desc("interface_up", "1 if the interface is up, 0 if it is absent, down or failed.", "interface", "datapath"),
		packets:    desc("interface_packets_total", "IP packets of a host of its own, by what became of them.", "interface", "kind"),
		info:       desc("build_info", "1, with the version as a label.", "version"),
		events:     desc("events_total", "Events since the start."),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.counters {
		out <- m.desc
	}
	for _, m := range c.tables {
		out <- m.desc
	}
	for _, d := range []*prometheus.Desc{c.drops, c.interfaces, c.addresses, c.up, c.packets, c.info, c.events} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	if stats, err := c.backend.Stats(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(c.drops, err)
	} else {
		c.collectStats(&stats, out)
	}
	if status, err := c.backend.Status(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(c.info, err)
	} else {
		c.collectStatus(&status, out)
	}
}

func (c *collector) collectStats(stats *api.Stats, out chan<- prometheus.Metric) {
	for i := range stats.Interfaces {
		s := &stats.Interfaces[i]
		for _, m := range c.counters {
			out <- constant(m.desc, prometheus.CounterValue, float64(m.value(&s.Counters)), s.Interface)
		}
		for reason, n := range s.Drops {
			out <- constant(c.drops, prometheus.CounterValue, float64(n), s.Interface, reason)
		}
	}
}

func (c *collector) collectStatus(status *api.Status, out chan<- prometheus.Metric) {
	for _, m := range c.tables {
		out <- constant(m.desc, prometheus.GaugeValue, float64(m.value(&status.Tables)))
	}
	for _, i := range status.Interfaces {
		up := 0.0
		if i.State == "up" {
			up = 1
		}
		out <- constant(c.up, prometheus.GaugeValue, up, i.Name, i.Datapath)
		out <- constant(c.interfaces, prometheus.GaugeValue, float64(i.Entries), i.Name)
		count := make(map[string]int)
		for _, a := range i.Addresses {
			count[a.State]++
		}
		for _, state := range api.AddrStates() {
			out <- constant(c.addresses, prometheus.GaugeValue, float64(count[state]), i.Name, state)
		}
		for kind, n := range i.Packets {
			out <- constant(c.packets, prometheus.CounterValue, float64(n), i.Name, kind)
		}
	}
	out <- constant(c.info, prometheus.GaugeValue, 1, status.Version)
	out <- constant(c.events, prometheus.CounterValue, float64(status.LastSeq))
}

// constant makes a metric; a mistake, such as a label that is not UTF-8, fails
// the scrape and not the daemon.
func constant(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}
