package commandline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// CheckArguments has each command below root check its arguments, with errors for people.
func CheckArguments(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			CheckArguments(c)
		}
		c.Args = RefuseSecrets(wantedArguments(c))
	}
}

// wantedArguments returns the check of a command's arguments. The error shows the form of
// the command.
func wantedArguments(c *cobra.Command) cobra.PositionalArgs {
	check := c.Args
	if c.HasSubCommands() {
		return check
	}
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && strings.Contains(cmd.Use, "SNAP") && strings.Contains(args[0], "/") {
			return errors.New("a snapshot has no / in its name: write a remote after --from")
		}
		if check(cmd, args) != nil {
			return fmt.Errorf("wrong arguments: write %s", cmd.UseLine())
		}
		return nil
	}
}
