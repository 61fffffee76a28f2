package psql

import (
	"slices"
	"sync"
)

// Refusals are the scripts that a restore will refuse. Several goroutines read scripts.
type Refusals struct {
	mu    sync.Mutex
	texts []string
}

// Add notes why a script is refused.
func (r *Refusals) Add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
}

// All returns the notes in order.
func (r *Refusals) All() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.texts))
}
