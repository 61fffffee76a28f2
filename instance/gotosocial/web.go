package gotosocial

// WebFolder is a folder of templates or assets. A release of GoToSocial brings both.
type WebFolder struct {
	Path        string
	IsTemplates bool
}

// WebFolders returns the folders with templates and assets.
func (c *Config) WebFolders() []WebFolder {
	return []WebFolder{
		{c.Absolute(c.Get("web-template-base-dir")), true},
		{c.Absolute(c.Get("web-asset-base-dir")), false},
	}
}
