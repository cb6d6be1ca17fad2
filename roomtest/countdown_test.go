package roomtest_test

import "testing"

// TestCountdown runs the test that the package's example shows.
func TestCountdown(t *testing.T) { testCountdown(t) }
