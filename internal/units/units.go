// Package units writes sizes, counts, times and spans of time for people, and reads
// sizes and spans from a configuration.
package units

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// Size returns bytes as "44 MiB". A negative number counts as zero.
func Size(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// Count returns a number and its noun: "1 file", "29,566 files".
func Count[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(int64(n)) + " " + noun
}

// Duration returns a span of time: "3.2 s", "51 s", "14 min 3 s", "2 h 10 min".
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// Age returns the time since t in one unit: "26 h". A future time has the age 0.
func Age(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(0, d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Time returns a date and time in the zone of this machine.
func Time(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// Growth tells how a size in bytes changed.
func Growth(bytes int64) string {
	switch {
	case bytes == 0:
		return "the same size"
	case bytes < 0:
		return Size(-bytes) + " smaller"
	}
	return Size(bytes) + " larger"
}
