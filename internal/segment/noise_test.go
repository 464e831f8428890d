package segment

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	samples      = 1_000_000
	significance = 0.001 // of each test; the seeds are fixed, so a test that passes goes on passing
)

var testedEpsilons = []Epsilon{100, 500, 2000}

func seeded(name string) *Noise {
	var seed [32]byte
	copy(seed[:], name)
	return NewNoise(rand.NewChaCha8(seed))
}

// draw counts how often each number comes up.
func draw(t *testing.T, noise *Noise, epsilon Epsilon) map[int64]int {
	t.Helper()
	counts := make(map[int64]int)
	for range samples {
		x, err := noise.Laplace(epsilon)
		if err != nil {
			t.Fatal(err)
		}
		counts[x]++
	}
	return counts
}

// exact is the probability of a number under the discrete Laplace distribution.
func exact(epsilon Epsilon, x int64) float64 {
	a := math.Exp(-epsilon.Float())
	return (1 - a) / (1 + a) * math.Exp(-epsilon.Float()*math.Abs(float64(x)))
}

// Pearson's chi-squared test against the exact distribution. Numbers that are expected fewer than ten times are one bin at each end.
func TestNoiseChiSquared(t *testing.T) {
	for _, epsilon := range testedEpsilons {
		counts := draw(t, seeded("chi-squared"), epsilon)
		var edge int64
		for exact(epsilon, edge+1)*samples >= 10 {
			edge++
		}
		var observed, expected []float64
		rest := samples
		for x := -edge; x <= edge; x++ {
			observed, expected = append(observed, float64(counts[x])), append(expected, exact(epsilon, x)*samples)
			rest -= counts[x]
		}
		observed, expected = append(observed, float64(rest)), append(expected, 2*epsilon.tail(edge+1)*samples)
		statistic := stat.ChiSquare(observed, expected)
		limit := distuv.ChiSquared{K: float64(len(observed) - 1)}.Quantile(1 - significance)
		if statistic > limit {
			t.Errorf("epsilon %v: chi-squared %.1f with %d bins, limit %.1f", epsilon.Float(), statistic, len(observed), limit)
		}
	}
}

// The Kolmogorov–Smirnov test. For a discrete distribution its critical value is conservative (Noether, 1963): it finds less, never too much; so
// the chi-squared test stands beside it.
func TestNoiseKolmogorovSmirnov(t *testing.T) {
	limit := math.Sqrt(-math.Log(significance/2)/2) / math.Sqrt(samples)
	for _, epsilon := range testedEpsilons {
		counts := draw(t, seeded("kolmogorov"), epsilon)
		distance, drawn := 0.0, 0
		for x := int64(-400); x <= 400; x++ {
			drawn += counts[x]
			distance = max(distance, math.Abs(float64(drawn)/samples-distribution(epsilon, x)))
		}
		if distance > limit {
			t.Errorf("epsilon %v: distance %.6f, limit %.6f", epsilon.Float(), distance, limit)
		}
	}
}

// distribution is the probability of at most x.
func distribution(epsilon Epsilon, x int64) float64 {
	if x < 0 {
		return epsilon.tail(-x)
	}
	return 1 - epsilon.tail(x+1)
}

// Two neighbouring data sets, one person apart: no answer is more likely with the one than with the other by more than a
// factor of exp(epsilon), within four standard errors of what was drawn. What is told is what is tested: the released count, suppression included.
func TestPrivacyLoss(t *testing.T) {
	const people = 50 // at the minimum, where suppression could give somebody away
	for _, epsilon := range testedEpsilons {
		setting := Setting{Epsilon: epsilon, Minimum: 200}
		if epsilon >= 500 {
			setting.Minimum = people
		}
		with, without := tell(t, "with", uint64(setting.Minimum), setting), tell(t, "without", uint64(setting.Minimum-1), setting)
		worst := 0.0
		for answer, n := range with {
			m := without[answer]
			if n < 1000 || m < 1000 {
				continue
			}
			loss := math.Abs(math.Log(float64(n) / float64(m)))
			worst = max(worst, loss)
			if limit := epsilon.Float() + 4*math.Sqrt(1/float64(n)+1/float64(m)); loss > limit {
				t.Errorf("epsilon %v: answer %d loses %.3f, limit %.3f", epsilon.Float(), answer, loss, limit)
			}
		}
		if worst < epsilon.Float()*0.9 {
			t.Errorf("epsilon %v: the greatest loss is %.3f: the noise is not what it should be, or the test sees nothing", epsilon.Float(), worst)
		}
	}
}

// tell releases the same count over and over; -1 stands for a suppressed one.
func tell(t *testing.T, seed string, count uint64, setting Setting) map[int64]int {
	t.Helper()
	noise, told := seeded(seed), make(map[int64]int)
	for range samples {
		released, err := Release([]uint64{count}, setting, noise)
		if err != nil {
			t.Fatal(err)
		}
		if released[0] == nil {
			told[-1]++
		} else {
			told[*released[0]]++
		}
	}
	return told
}

func TestNoiseFailsWithItsSource(t *testing.T) {
	if _, err := NewNoise(iotest.ErrReader(errors.New("no entropy"))).Laplace(500); err == nil {
		t.Error("noise was drawn from nothing")
	}
	if _, err := seeded("zero").Laplace(0); err == nil {
		t.Error("noise was drawn for an epsilon of zero")
	}
}

func TestReleaseIsConsistent(t *testing.T) {
	setting := Setting{Epsilon: 500, Minimum: 50}
	noise, shown, hidden := seeded("release"), 0, 0
	for range 1000 {
		told, err := Release([]uint64{0, 3, 49, 50, 51, 1000}, setting, noise)
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, count := range told {
			if count == nil {
				hidden++
				continue
			}
			shown++
			sum += *count
			if *count < setting.Minimum {
				t.Fatalf("%d is told", *count)
			}
		}
		if total := Total(told); total == nil || *total != sum {
			t.Fatalf("the total is not the sum of the cells")
		}
		if told[0] != nil || told[1] != nil {
			t.Fatal("a cell of three people or none is told")
		}
	}
	if shown < 1500 || hidden < 2500 {
		t.Errorf("%d shown, %d hidden", shown, hidden)
	}
	if Total([]Released{nil}) != nil {
		t.Error("nothing has a total")
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		setting Setting
		ok      bool
	}{
		{Setting{500, 50}, true},
		{Setting{100, 200}, true},
		{Setting{0, 50}, false},
		{Setting{5, 50}, false},
		{Setting{6000, 50}, false},
		{Setting{2000, 5}, false},
		{Setting{100, 50}, false}, // a single person would show up once in 270 times
	} {
		if err := c.setting.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.setting, err)
		}
	}
}
