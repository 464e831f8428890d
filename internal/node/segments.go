package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/custody"
)

// segmentCollector reports the index that segments are counted by.
type segmentCollector struct{ service *custody.Service }

var (
	segmentReady    = prometheus.NewDesc("consentry_segment_index_ready", "Whether this node's index of segments is built.", nil, nil)
	segmentSubjects = prometheus.NewDesc("consentry_segment_index_subjects", "People in the index, or read into it so far.", nil, nil)
	segmentLeftOut  = prometheus.NewDesc("consentry_segment_index_left_out", "People whom the index counts nowhere because something of theirs does not open.", nil, nil)
	segmentBytes    = prometheus.NewDesc("consentry_segment_index_bytes", "Memory that the index takes.", nil, nil)
	segmentStates   = prometheus.NewDesc("consentry_segment_index_policy_states", "Distinct policy states of all purposes.", nil, nil)
	segmentBuild    = prometheus.NewDesc("consentry_segment_index_build_seconds", "How long building it took.", nil, nil)
)

// Describe implements prometheus.Collector.
func (segmentCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{segmentReady, segmentSubjects, segmentLeftOut, segmentBytes, segmentStates, segmentBuild} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c segmentCollector) Collect(metrics chan<- prometheus.Metric) {
	progress := c.service.SegmentProgress()
	if progress == nil {
		return
	}
	ready := 0.0
	if progress.Ready {
		ready = 1
	}
	for desc, value := range map[*prometheus.Desc]float64{segmentReady: ready, segmentSubjects: float64(progress.Subjects), segmentLeftOut: float64(progress.LeftOut), segmentBytes: float64(progress.Size.Bytes),
		segmentStates: float64(progress.Size.States), segmentBuild: progress.Took.Seconds()} {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
