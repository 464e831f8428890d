package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

// openEvents makes what carries events, and has every attempt counted.
func (n *Node) openEvents(c Config, registry *prometheus.Registry) *events.Service {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "consentry", Name: "event_attempts_total",
		Help: "Calls to processors, by what came of them."}, []string{"outcome"})
	latency := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "consentry", Name: "event_seconds",
		Help: "Time from a change to a processor's having accepted the event.", Buckets: prometheus.ExponentialBuckets(0.02, 2, 18)})
	registry.MustRegister(attempts, latency)
	n.sender = webhook.New(c.Webhooks)
	observe := func(problem webhook.Problem, since time.Duration) {
		if problem != "" {
			attempts.WithLabelValues(string(problem)).Inc()
			return
		}
		attempts.WithLabelValues("accepted").Inc()
		latency.Observe(since.Seconds())
	}
	return events.New(events.Config{Vault: n.Service, Store: n.Store, Policy: n.Policy, Sender: n.sender, Log: c.Log, Pace: c.Events, Observe: observe})
}

// backlogCollector reports what is on its way to processors. It asks the database when it is asked.
type backlogCollector struct {
	store *store.Store
	now   func() time.Time
}

var (
	backlogOutbox  = prometheus.NewDesc("consentry_events_outbox", "Changes that are committed and not in the log yet.", nil, nil)
	backlogPending = prometheus.NewDesc("consentry_event_deliveries_pending", "Deliveries to be made, now or later.", nil, nil)
	backlogDead    = prometheus.NewDesc("consentry_event_deliveries_dead", "Deliveries that were given up.", nil, nil)
	backlogOldest  = prometheus.NewDesc("consentry_event_oldest_pending_seconds", "How long the oldest delivery to be made has waited.", nil, nil)
)

// backlogWithin bounds how long a scrape waits for the database.
const backlogWithin = 2 * time.Second

// Describe implements prometheus.Collector.
func (backlogCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- backlogOutbox
	descs <- backlogPending
	descs <- backlogDead
	descs <- backlogOldest
}

// Collect implements prometheus.Collector. When the database is away there is nothing to report.
func (c backlogCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogWithin)
	defer cancel()
	b, err := c.store.Backlog(ctx, c.now())
	if err != nil {
		return
	}
	metrics <- prometheus.MustNewConstMetric(backlogOutbox, prometheus.GaugeValue, float64(b.Outbox))
	metrics <- prometheus.MustNewConstMetric(backlogPending, prometheus.GaugeValue, float64(b.Pending))
	metrics <- prometheus.MustNewConstMetric(backlogDead, prometheus.GaugeValue, float64(b.Dead))
	metrics <- prometheus.MustNewConstMetric(backlogOldest, prometheus.GaugeValue, b.Oldest.Seconds())
}
