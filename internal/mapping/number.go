package mapping

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal reads a plain decimal number of at most 15 digits before and 6 after the
// point. Exponents and fractions, which big.Rat would read too, are refused: "1e999999"
// in a cell must not become a number of a million digits.
func decimal(cell string) (*big.Rat, bool) {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(cell, "-"), ".")
	if whole == "" || len(whole) > 15 || len(fraction) > 6 || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(cell)
}

// plain writes a sum of such numbers as JSON does, without trailing zeros.
func plain(number *big.Rat) string {
	if number.IsInt() {
		return number.Num().String()
	}
	return strings.TrimRight(number.FloatString(6), "0")
}

func wholeNumber(cell string, most int) (int, bool) {
	n, err := strconv.Atoi(cell)
	return n, err == nil && n >= 0 && n <= most
}
