package units

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// Bytes is a number of bytes in a configuration, written "1GiB" or "500 MB".
type Bytes int64

// UnmarshalYAML reads a number with a unit.
func (b *Bytes) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<50 {
		return fmt.Errorf("%q is not a size such as 1GiB", text)
	}
	*b = Bytes(n)
	return nil
}

// Span is a span of time in a configuration, written "90s" or "5m".
type Span time.Duration

// UnmarshalYAML reads a span with a unit.
func (s *Span) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	n, err := time.ParseDuration(text)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is not a span of time such as 5m", text)
	}
	*s = Span(n)
	return nil
}
