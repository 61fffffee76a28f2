package seal

import (
	"filippo.io/age"
	"filippo.io/age/plugin"

	"holdfast/internal/child"
)

// pluginRecipient starts its program, age-plugin-NAME, without Holdfast's secrets.
type pluginRecipient struct{ recipient *plugin.Recipient }

func newPluginRecipient(s string) (age.Recipient, error) {
	r, err := plugin.NewRecipient(s, plugin.NewTerminalUI(discard, discard))
	return pluginRecipient{r}, err
}

func (r pluginRecipient) Wrap(key []byte) ([]*age.Stanza, error) {
	stanzas, _, err := r.WrapWithLabels(key)
	return stanzas, err
}

func (r pluginRecipient) WrapWithLabels(key []byte) (stanzas []*age.Stanza, labels []string, err error) {
	err = child.Lend("age-plugin-"+r.recipient.Name(), func() (err error) {
		stanzas, labels, err = r.recipient.WrapWithLabels(key)
		return err
	})
	return stanzas, labels, err
}

// pluginIdentity is like pluginRecipient.
type pluginIdentity struct{ identity *plugin.Identity }

func newPluginIdentity(s string) (age.Identity, error) {
	i, err := plugin.NewIdentity(s, plugin.NewTerminalUI(discard, discard))
	return pluginIdentity{i}, err
}

func (i pluginIdentity) Unwrap(stanzas []*age.Stanza) (key []byte, err error) {
	err = child.Lend("age-plugin-"+i.identity.Name(), func() (err error) {
		key, err = i.identity.Unwrap(stanzas)
		return err
	})
	return key, err
}

// discard drops the messages of a plugin.
func discard(string, ...any) {}
