package page

import (
	"math"
	"testing"
)

func TestOnlyWhatIsBetweenTheMarksIsReplaced(t *testing.T) {
	const begin = "<!-- Written by us"
	text := "before\n" + begin + ": do not edit -->\n\nold\n\n" + end + "\nafter\n"
	once, err := Between(text, begin, "new\n")
	if want := "before\n" + begin + ": do not edit -->\n\nnew\n\n" + end + "\nafter\n"; err != nil || once != want {
		t.Errorf("%v, got\n%s", err, once)
	}
	if again, err := Between(once, begin, "new\n"); err != nil || again != once {
		t.Errorf("a second time: %v\n%s", err, again)
	}
	if _, err := Between("before\nafter\n", begin, "new\n"); err == nil {
		t.Error("a page without marks is taken")
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{1234567.4, 0, "1,234,567"}, {999.5, 0, "1,000"}, {12, 0, "12"}, {1.005, 1, "1.0"}, {1005, 2, "1005.00"}, {math.NaN(), 2, "–"}} {
		if got := Figure(c.v, c.digits); got != c.want {
			t.Errorf("%v with %d digits: %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}
