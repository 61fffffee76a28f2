package gotosocial

// compilationCache is the variable GTS_WAZERO_COMPILATION_CACHE, which GoToSocial's own
// unit names.
const compilationCache = "wazero-compilation-cache"

// UnmappedCache returns the container's path of that folder, if the path has no folder on
// this machine that a person named. The container may mount a folder there all the same.
func (c *Config) UnmappedCache() string {
	path := c.Absolute(c.Get(compilationCache))
	if !c.Container || c.InContainer(path) {
		return ""
	}
	return path
}

// CompilationCache returns the folder on this machine in which the server keeps compiled
// programs, or "". Without the right to make or fill the folder, the server does not start.
func (c *Config) CompilationCache() string {
	path := c.Absolute(c.Get(compilationCache))
	if c.UnmappedCache() != "" {
		return ""
	}
	return path
}
