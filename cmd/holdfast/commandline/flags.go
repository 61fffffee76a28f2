package commandline

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/remedy"
)

// FillFlags sets the flags absent from the command line from the environment:
// HOLDFAST_CONFIG for --config. Lists are separated by commas.
func FillFlags(flags *pflag.FlagSet) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || f.Changed || f.Name == "help" || f.Name == "version" {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				bad = errors.Join(bad, fmt.Errorf("%s: %w", name, badValue(err)))
			}
		}
	})
	return bad
}

// SuggestFlag adds the nearest flag to the error about an unknown flag.
func SuggestFlag(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, badValue(err))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := remedy.Near(unknown.GetSpecifiedName(), names)
	for i := range near {
		near[i] = "--" + near[i]
	}
	return fmt.Errorf("%w%s", err, remedy.DidYouMean(near))
}

// badValue is the error about a flag's value without Go's own words.
func badValue(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		return fmt.Errorf("%q is neither true nor false", invalid.GetValue())
	}
	return err
}

// AsksJSON looks for --json in an unreadable command line.
func AsksJSON(args []string) bool {
	return slices.Contains(args, "--json") || slices.Contains([]string{"1", "true"}, os.Getenv("HOLDFAST_JSON"))
}

// Join joins words with spaces, and leaves out empty words at both ends.
func Join(words ...string) string { return strings.TrimSpace(strings.Join(words, " ")) }
