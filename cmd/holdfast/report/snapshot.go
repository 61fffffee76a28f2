// Package report shows the results of jobs: as text on a terminal, as JSON for programs.
package report

import (
	"time"

	"holdfast/manifest"
)

// Snapshot is the output's view of a snapshot.
type Snapshot struct {
	ID         string                           `json:"id"`
	Name       string                           `json:"name"` // what --expect-head takes whole
	Sequence   int64                            `json:"sequence"`
	Instance   string                           `json:"instance"`
	Time       time.Time                        `json:"time"`
	Finished   time.Time                        `json:"finished"`
	Engine     string                           `json:"engine,omitempty"`
	GoToSocial string                           `json:"gotosocial,omitempty"`
	Migration  string                           `json:"migration,omitempty"`
	Accounts   int64                            `json:"accounts,omitempty"`
	Statuses   int64                            `json:"statuses,omitempty"`
	Parts      map[manifest.Part]manifest.Total `json:"parts"`
	Stored     int64                            `json:"stored"`
	Read       int64                            `json:"read"`
	Missing    int64                            `json:"missing"`
}

// NewSnapshot returns the output's view of a record.
func NewSnapshot(r *manifest.Record) Snapshot {
	f := r.Facts
	return Snapshot{
		ID: r.ID(), Name: r.Name().Hex(), Sequence: r.Sequence, Instance: r.Instance,
		Time: r.Time, Finished: r.Finished,
		Engine: f.Engine, GoToSocial: f.GoToSocial, Migration: f.Migration, Accounts: f.Accounts, Statuses: f.Statuses,
		Parts: r.Parts, Stored: r.Stored, Read: r.Read, Missing: r.Missing,
	}
}

// Bytes is the number of bytes that a full restore writes.
func (s Snapshot) Bytes() int64 {
	var n int64
	for _, total := range s.Parts {
		n += total.Bytes
	}
	return n
}
