package agent

import (
	"context"
	"time"

	"holdfast/agent/location"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/vault"
)

// VerifyConfig is the depth of a verification.
type VerifyConfig struct {
	OpenConfig                // identities are not needed
	Data       float64        // the share of stored bytes to read and hash, 0 to 1
	ExpectHead *manifest.Hash // the head or an ancestor of the head; nil: any
}

// VerifyReport is the result of a verification.
type VerifyReport struct {
	*vault.VerifyReport
	Head   *manifest.Record
	Newest *manifest.Record // the newest snapshot, or nil
}

// Verify compares the objects of the remote with the needs of the snapshots. Damage
// is in the report, and is not an error. After an error the report is nil.
func (h Home) Verify(ctx context.Context, cfg VerifyConfig) (report *VerifyReport, err error) {
	began := time.Now()
	defer func() {
		attrs := []any{"duration", time.Since(began)}
		if report != nil {
			attrs = append(attrs, "instance", report.Head.Instance, "objects", report.Objects, "hashed", report.Hashed,
				"problems", len(report.Problems))
		}
		logEnd(ctx, "verify ended", err, attrs...)
	}()
	// Read the memory before the LIST. A backup in the meantime puts the record first,
	// and remembers the record last.
	memory := h.remember(cfg.OpenConfig)
	repo, err := h.Open(ctx, cfg.OpenConfig)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	found, err := repo.Verify(ctx,
		vault.VerifyConfig{Data: cfg.Data, ExpectHead: cfg.ExpectHead, Memory: memory, Progress: cfg.Progress})
	if err != nil {
		return nil, err
	}
	return &VerifyReport{VerifyReport: found, Head: repo.Head(), Newest: manifest.History(repo.Records()).Latest()}, nil
}

// remember returns the host's memory of the newest records. The memory is empty for
// any remote except the host's own.
func (h Home) remember(cfg OpenConfig) (memory index.Memory) {
	c, err := h.Config()
	if err != nil || len(c.Remotes) == 0 {
		return memory
	}
	if cfg.From != "" {
		own, err := location.Parse(c.Remotes[0].URL)
		other, err2 := location.Parse(cfg.From)
		if err != nil || err2 != nil || other.URL != own.URL {
			return memory
		}
	}
	if memory, err = index.ReadMemory(h.State); err != nil {
		cfg.warn("this host could not compare the storage with the newest snapshot that it knows: %v", err)
	}
	return memory
}
