package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are labelled by route and status only: a label with a client's words in it could carry
// personal data, and one with ids would grow without end.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	released prometheus.Counter
	withheld *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		registry: registry,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "consentry", Name: "request_seconds",
			Help: "Time to answer a request, by route and status.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}, []string{"route", "status"}),
		released: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "consentry", Name: "attributes_released_total",
			Help: "Attribute values released by disclosures."}),
		withheld: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "consentry", Name: "attributes_withheld_total",
			Help: "Attributes withheld by disclosures, by reason."}, []string{"reason"}),
	}
	registry.MustRegister(m.requests, m.released, m.withheld)
	return m
}

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
