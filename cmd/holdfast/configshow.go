package main

import (
	"cmp"
	"fmt"
	"os"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
)

// setting is a value and the origin of the value, for --json. The value of a secret never
// appears.
type setting struct {
	Program string `json:"program"` // "holdfast" or "gotosocial"
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
}

// showConfig prints every setting in force.
func showConfig(a *app) error {
	c, err := a.home.Config()
	if err != nil {
		return err
	}
	theirs, err := c.Settings()
	for _, s := range c.OwnSettings(theirs) {
		printSetting(a.term, setting{"holdfast", s.Key, s.Value, s.Origin})
	}
	printSetting(a.term, setting{"holdfast", "state", a.home.State, stateOrigin(a.home.State)})
	if err != nil {
		return err
	}
	for _, warning := range theirs.Warnings {
		a.term.Warn("%s", warning)
	}
	for _, s := range theirs.Settings() {
		value := s.Value
		if s.Secret() && value != "" {
			value = "(secret)"
		}
		printSetting(a.term, setting{"gotosocial", s.Key, value, s.From()})
	}
	return nil
}

func printSetting(t *terminal.Terminal, s setting) {
	t.Item("setting", s, fmt.Sprintf("%-10s  %-34s  %-44s  %s", s.Program, s.Key, cmp.Or(s.Value, `""`), s.Origin))
}

func stateOrigin(state string) string {
	switch state {
	case os.Getenv("HOLDFAST_STATE"):
		return "HOLDFAST_STATE"
	case agent.DefaultHome().State:
		return "default"
	}
	return "--state"
}
