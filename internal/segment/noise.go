package segment

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"math/bits"

	"github.com/consentry/consentry/internal/privacy"
)

// Epsilon is a privacy parameter in thousandths: 500 is 0.5. Sums of it are exact.
type Epsilon uint32

// Float gives the parameter as a number.
func (e Epsilon) Float() float64 { return float64(e) / 1000 }

// Noise draws from the discrete Laplace distribution, P(x) proportional to exp(-epsilon·|x|) on the whole numbers. It computes
// with integers alone, so that what comes out is distributed as it should be to the last bit: noise from floating-point numbers has gaps
// that give the true count away (Mironov, CCS 2012). The construction is that of Canonne, Kamath and Steinke, "The Discrete Gaussian
// for Differential Privacy", NeurIPS 2020, algorithms 1 and 2. It is for one goroutine.
type Noise struct{ random *bufio.Reader }

// NewNoise draws from a source of random bytes, crypto/rand in production. It reads ahead.
func NewNoise(random io.Reader) *Noise { return &Noise{bufio.NewReaderSize(random, 512)} }

// Laplace draws one number. Epsilon must not be zero.
func (n *Noise) Laplace(epsilon Epsilon) (int64, error) {
	if epsilon == 0 {
		return 0, privacy.Internal(nil, "draw noise without an epsilon")
	}
	s, t := uint64(epsilon), uint64(1000) // epsilon is s/t
	for {
		u, err := n.below(t)
		if err != nil {
			return 0, err
		}
		kept, err := n.expMinus(u, t)
		if err != nil {
			return 0, err
		}
		if !kept {
			continue
		}
		v, err := n.geometric()
		if err != nil {
			return 0, err
		}
		negative, err := n.below(2)
		if err != nil {
			return 0, err
		}
		y := int64((u + t*v) / s) //nolint:gosec // v is above 2^40 once in exp(2^40) draws
		if negative == 1 && y == 0 {
			continue // or zero would come up twice as often
		}
		if negative == 1 {
			y = -y
		}
		return y, nil
	}
}

// geometric counts successes of probability exp(-1) before the first failure.
func (n *Noise) geometric() (v uint64, err error) {
	for {
		more, err := n.expMinus(1, 1)
		if err != nil || !more {
			return v, err
		}
		v++
	}
}

// expMinus is true with probability exp(-u/t), for u no greater than t: algorithm 1.
func (n *Noise) expMinus(u, t uint64) (bool, error) {
	for k := uint64(1); ; k++ {
		drawn, err := n.below(t * k)
		if err != nil {
			return false, err
		}
		if drawn >= u {
			return k%2 == 1, nil
		}
	}
}

// below draws a number from 0 to n-1, each as likely as the others: one drawn from what is left over when 2^64 is divided by n is thrown away.
func (n *Noise) below(limit uint64) (uint64, error) {
	var raw [8]byte
	for {
		if _, err := io.ReadFull(n.random, raw[:]); err != nil {
			return 0, privacy.Internal(err, "draw noise")
		}
		high, low := bits.Mul64(binary.LittleEndian.Uint64(raw[:]), limit)
		if low >= -limit%limit {
			return high, nil
		}
	}
}

// tail gives the probability that noise is at least x, for x above 0.
func (e Epsilon) tail(x int64) float64 {
	a := math.Exp(-e.Float())
	return math.Exp(-e.Float()*float64(x)) / (1 + a)
}
