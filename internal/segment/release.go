package segment

import "github.com/consentry/consentry/internal/privacy"

// Setting says how much a client may be told.
type Setting struct {
	Epsilon Epsilon // of each release
	Minimum int64   // the smallest noisy count that is told
}

// Bounds of settings. Beyond them an answer would be noise alone, or hardly be noisy.
const (
	MinEpsilon Epsilon = 10   // 0.01
	MaxEpsilon Epsilon = 5000 // 5
	MinMinimum int64   = 10
	maxDelta           = 1e-6
)

var errSetting = privacy.Invalid("invalid_segment_setting", "epsilon is from 0.01 to 5, the minimum at least 10, and epsilon times the minimum at least 15, so that nobody is seen by a cell being there")

// Check refuses settings under which the promises of this package would not hold.
func (s Setting) Check() error {
	if s.Epsilon < MinEpsilon || s.Epsilon > MaxEpsilon || s.Minimum < MinMinimum || s.Delta() > maxDelta {
		return errSetting
	}
	return nil
}

// Delta bounds the probability that a single person makes a cell of an open facet show up.
func (s Setting) Delta() float64 { return s.Epsilon.tail(s.Minimum - 1) }

// Released is one count as it is told; nil when it is suppressed.
type Released *int64

// Release makes counts of disjoint people into what may be told, at the price of one epsilon for all of them. Everything that
// depends on the true counts is in the noise; the rest is post-processing.
func Release(counts []uint64, setting Setting, noise *Noise) ([]Released, error) {
	if err := setting.Check(); err != nil {
		return nil, err
	}
	told := make([]Released, len(counts))
	for i, count := range counts {
		drawn, err := noise.Laplace(setting.Epsilon)
		if err != nil {
			return nil, err
		}
		if noisy := int64(count) + drawn; noisy >= setting.Minimum { //nolint:gosec // people
			told[i] = &noisy
		}
	}
	return told, nil
}

// Total is the sum of what is told: the total of a breakdown agrees with its cells, and does not give the suppressed ones away. It
// is nil when all are suppressed.
func Total(told []Released) Released {
	var total Released
	for _, count := range told {
		if count == nil {
			continue
		}
		if total == nil {
			total = new(int64)
		}
		*total += *count
	}
	return total
}

// Margin gives how far at most 95 of 100 noisy counts are from the true ones.
func (s Setting) Margin() int64 {
	margin := int64(0)
	for 2*s.Epsilon.tail(margin+1) > 0.05 {
		margin++
	}
	return margin
}
