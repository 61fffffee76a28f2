package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the manual page",
		Long:  "Print the manual page:\n\n  holdfast man > /usr/local/share/man/man1/holdfast.1",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.refuseJSON("a page for man"); err != nil {
				return err
			}
			manual(a.term.Out, cmd.Root())
			return nil
		},
	}
}

// manual writes one page for the whole tree of commands, in the language of man(7).
func manual(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH HOLDFAST 1 \"\" \"holdfast %s\" \"Holdfast\"\n", version())
	fmt.Fprintf(w, ".SH NAME\nholdfast \\- %s\n", roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B holdfast\n.I command\n[flags]\n.SH DESCRIPTION\n%s\n", prose(root.Long))
	fmt.Fprintln(w, ".SH COMMANDS")
	commandPages(w, root)
	fmt.Fprintln(w, ".SH GLOBAL FLAGS\nThe variable HOLDFAST_NAME stands for a missing flag --name.")
	flags(w, root.PersistentFlags())
	fmt.Fprintln(w, ".SH EXIT STATUS")
	fmt.Fprintf(w, ".TP\n.B 0\nsuccess\n")
	for _, e := range exits {
		fmt.Fprintf(w, ".TP\n.B %d\n%s\n", e.code, roff(e.means))
	}
}

func commandPages(w io.Writer, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden {
			continue
		}
		if c.HasSubCommands() {
			commandPages(w, c)
			continue
		}
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(strings.TrimSuffix(c.UseLine(), " [flags]")), prose(text))
		flags(w, c.LocalNonPersistentFlags())
	}
}

func flags(w io.Writer, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.NoOptDefVal == passphraseHelp {
			name += "[=" + passphraseHelp + "]"
		}
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(join(name, value)), roff(text))
	})
}

// prose sets paragraphs. Indented paragraphs keep their lines.
func prose(text string) string {
	var b strings.Builder
	for _, paragraph := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(paragraph, "  ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(paragraph))
		} else {
			fmt.Fprintf(&b, ".PP\n%s\n", roff(paragraph))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// roff escapes markup: backslashes, hyphens, and a dot or quote at the start of a
// line.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
