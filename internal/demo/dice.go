package demo

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// dice draws everything that is random about one person, from the seed and the person's
// number alone, so that a change to one person leaves the others as they were.
type dice struct {
	*rand.Rand
	faker *gofakeit.Faker
	known bool // one of the known people, who have everything
}

func newDice(seed uint64, person int) dice {
	source := rand.NewPCG(seed, uint64(person))                                  //nolint:gosec // an index
	return dice{Rand: rand.New(source), faker: gofakeit.NewFaker(source, false)} //nolint:gosec // repeatable on purpose, and protects nothing
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

// has decides whether something that a share of the people have is known of this one. It
// draws in any case, so that being known changes nothing else.
func (d dice) has(share float64) bool { return d.chance(share) || d.known }

// between draws from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func (d dice) hours(low, high int) time.Duration {
	return time.Duration(d.between(low, high)) * time.Hour
}

// logNormal draws what has no upper end and many small values, as incomes and baskets do.
func (d dice) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*d.NormFloat64())
}

// count draws a whole number around a mean, as logNormal does.
func (d dice) count(median, sigma float64) int { return int(d.logNormal(median, sigma)) }

// fill replaces every # of a pattern by a digit and every ? by a capital letter.
func (d dice) fill(pattern string) string {
	var b strings.Builder
	for _, r := range pattern {
		switch r {
		case '#':
			b.WriteByte("0123456789"[d.IntN(10)])
		case '?':
			b.WriteByte("ABDEFGHJLNPQRSTUWXYZ"[d.IntN(20)])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// split cuts a whole into parts at random, each at least zero, that add up to it.
func (d dice) split(whole, parts int) []int {
	weights := make([]float64, parts)
	sum := 0.0
	for i := range weights {
		weights[i] = 0.05 + d.ExpFloat64()
		sum += weights[i]
	}
	out := make([]int, parts)
	rest := whole
	for i, weight := range weights[1:] {
		out[i+1] = int(float64(whole) * weight / sum)
		rest -= out[i+1]
	}
	out[0] = rest
	return out
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// some draws up to n different ones.
func some[T any](d dice, from []T, n int) []T {
	out := make([]T, 0, n)
	for _, i := range d.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}

// weighted draws an index in proportion to its weight.
func weighted(d dice, n int, weight func(i int) int) int {
	sum := 0
	for i := range n {
		sum += weight(i)
	}
	at := d.IntN(sum)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}
