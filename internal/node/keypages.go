package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/custody"
)

// pageFailures reports the alarms about key pages. Any at all means that somebody who was to be erased is not yet.
func pageFailures(service *custody.Service) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "consentry", Name: "key_page_failures_total",
		Help: "Times that keys could not be taken away because their page is damaged or missing: an operator must look into the keyring."},
		func() float64 { return float64(service.PageFailures()) })
}
