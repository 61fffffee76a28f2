package units_test

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/units"
)

func TestDurationHasAtMostTwoUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		3200 * time.Millisecond:            "3.2 s",
		51 * time.Second:                   "51 s",
		14*time.Minute + 3*time.Second:     "14 min 3 s",
		26*time.Hour + 10*time.Minute + 59: "26 h 10 min",
	} {
		if got := units.Duration(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAgeHasOneUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for d, want := range map[time.Duration]string{
			-time.Hour:       "0 s",
			59 * time.Second: "59 s",
			90 * time.Minute: "90 min",
			26 * time.Hour:   "26 h",
			72 * time.Hour:   "3 days",
		} {
			if got := units.Age(time.Now().Add(-d)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func TestCountHasANoun(t *testing.T) {
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 29566: "29,566 files"} {
		if got := units.Count(n, "file"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := units.Size(-1); got != "0 B" {
		t.Errorf("a negative size is %s", got)
	}
}
