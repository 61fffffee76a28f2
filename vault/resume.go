package vault

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"holdfast/manifest"
)

// enter moves the restore to a state, durably.
func (r *restore) enter(next state) error {
	if !slices.Contains(successors[r.journal.State], next) {
		return fmt.Errorf("restore: state %q can't follow %q", next, r.journal.State)
	}
	r.journal.State = next
	return r.plan.save(r.journal)
}

// resume prepares the staging folder of an interrupted run for this run.
func (r *restore) resume() error {
	if boot := bootID(); r.journal.Boot == "" || r.journal.Boot != boot {
		return r.startOver(boot)
	}
	target, err := r.targetID()
	if err != nil {
		return err
	}
	j := r.journal
	if j.State == checking || j.State == checked && j.Target != target {
		return r.refetchDatabase()
	}
	return nil
}

// startOver fetches everything again. After a restart of the machine, files may
// be incomplete: their bytes may never have reached the disk.
func (r *restore) startOver(boot string) error {
	if err := r.empty(); err != nil {
		return err
	}
	if err := r.plan.refetchAll(); err != nil {
		return err
	}
	r.journal.State, r.journal.Boot = planned, boot
	return r.plan.save(r.journal)
}

// refetchDatabase removes a database that the target changed, or was changing
// at the interruption.
func (r *restore) refetchDatabase() error {
	paths, err := r.plan.refetchPart(manifest.Database)
	if err != nil {
		return err
	}
	for _, path := range paths {
		// The names of SQLite's extra files begin with the database's name.
		left, err := fs.Glob(r.tree.FS(), path+"*")
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := r.tree.Remove(name); err != nil {
				return err
			}
		}
	}
	return r.enter(planned)
}

// targetID tells apart targets that change a database in different ways.
func (r *restore) targetID() (string, error) {
	text, err := json.Marshal(r.target)
	return string(text), err
}

// bootID names the time since the kernel was started; "" if unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
