package load

import (
	"math"
	"slices"
)

// Median of an even number is the mean of the middle two, of none NaN.
func Median(list []float64) float64 {
	n := len(list)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
