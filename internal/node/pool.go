package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/store"
)

// poolCollector reports the state of the database pool.
type poolCollector struct{ store *store.Store }

var (
	poolAcquired = prometheus.NewDesc("consentry_database_connections_acquired", "Database connections in use.", nil, nil)
	poolTotal    = prometheus.NewDesc("consentry_database_connections", "Database connections open.", nil, nil)
	poolWaited   = prometheus.NewDesc("consentry_database_acquire_seconds_total", "Time spent waiting for a database connection.", nil, nil)
)

// Describe implements prometheus.Collector.
func (poolCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- poolAcquired
	descs <- poolTotal
	descs <- poolWaited
}

// Collect implements prometheus.Collector.
func (c poolCollector) Collect(metrics chan<- prometheus.Metric) {
	stats := c.store.Stats()
	metrics <- prometheus.MustNewConstMetric(poolAcquired, prometheus.GaugeValue, float64(stats.AcquiredConns()))
	metrics <- prometheus.MustNewConstMetric(poolTotal, prometheus.GaugeValue, float64(stats.TotalConns()))
	metrics <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, stats.AcquireDuration().Seconds())
}
