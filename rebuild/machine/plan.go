package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Inspect looks at the machine, and asks for the server of the domain. Inspect changes
// nothing. sizes are the parts of the snapshot. A Refused finding forbids the
// rebuild.
func (m *Machine) Inspect(ctx context.Context, sizes map[manifest.Part]manifest.Total, oldIsDead bool) []Finding {
	findings := []Finding{m.inspectUser(), m.inspectServer(ctx)}
	if m.Has(manifest.Database) || m.Has(manifest.Media) { // a running server may get its files back
		findings = slices.Insert(findings, 0, m.inspectDomain(ctx, oldIsDead))
		findings = append(findings, m.inspectRunning(ctx)...)
	}
	findings = append(findings, m.inspectPlaces()...)
	if m.Has(manifest.Database) {
		findings = append(findings, m.inspectDatabase(ctx)...)
	}
	if m.Has(manifest.Media) {
		findings = append(findings, m.inspectMedia(ctx))
	}
	findings = append(findings, m.inspectServerFolders()...)
	findings = append(findings, m.inspectWays()...)
	findings = append(findings, m.inspectRunFolders()...)
	findings = append(findings, m.inspectFiles(ctx)...)
	return urgentFirst(append(findings, m.inspectSpace(sizes)...))
}

// urgentFirst sorts what a person must act on before all else, but after the domain and
// the user. Otherwise the order stays.
func urgentFirst(findings []Finding) []Finding {
	rank := func(f Finding) int {
		switch {
		case f.Subject == DomainSubject, f.Subject == UserSubject:
			return 0
		case f.Refused:
			return 1
		case f.Fix != "":
			return 2
		}
		return 3
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return rank(a) - rank(b) })
	return findings
}

// inspectDatabase looks for a database in the way, and for the server of PostgreSQL.
func (m *Machine) inspectDatabase(ctx context.Context) (findings []Finding) {
	details, err := m.databaseDetails(ctx)
	if err != nil {
		return []Finding{refused(DatabaseSubject, err)}
	}
	for _, detail := range details {
		findings = append(findings, Finding{Subject: DatabaseSubject, Detail: detail})
	}
	return findings
}

func (m *Machine) databaseDetails(ctx context.Context) ([]string, error) {
	if engine := m.Config.Engine(); engine != m.Facts.Engine {
		return nil, &remedy.Error{Kind: remedy.Setting,
			What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", m.Facts.Engine, engine),
			Fix:  "give a configuration of the snapshot's engine by --gotosocial"}
	}
	target, err := m.database()
	if err != nil {
		return nil, err
	}
	if folder := target.Destination().Folder; folder != "" {
		if err := checkFillable(folder); err != nil {
			return nil, err
		}
	}
	mover, err := m.mover()
	if err != nil {
		return nil, err
	}
	details, err := target.Inspect(ctx, m.Facts, mover)
	return details, m.nameOtherServer(explainInTheWay(err))
}

// nameOtherServer adds to an error about a server of PostgreSQL how to choose another
// server, or another port.
func (m *Machine) nameOtherServer(err error) error {
	var there *disk.InTheWay
	if file, _ := m.Config.LocalPlaces(); err == nil || file != "" || errors.As(err, &there) {
		return err
	}
	p := &remedy.Error{Kind: remedy.Source}
	errors.As(err, &p)
	other := *p
	other.What, other.Err = "", err
	other.Fix = "for another server or port, correct db-address and db-port in " + m.Config.File
	if file := strings.TrimPrefix(m.Config.File, "/"); !m.ConfigGiven && file != "" {
		cat := remedy.ShellLine([]string{"holdfast", "cat", m.Snapshot, "files/" + file})
		other.Fix = fmt.Sprintf("for another server or port, write GoToSocial's configuration to a new file by %s "+
			"with --from and --identity; correct db-address and db-port there, and add --gotosocial with the file", cat)
	}
	if fix := fixOf(err); fix != "" {
		other.Fix = fix + "; " + other.Fix
	}
	return &other
}

// inspectMedia looks for media in the way.
func (m *Machine) inspectMedia(ctx context.Context) Finding {
	mover, err := m.mover()
	if err != nil {
		return refused(MediaSubject, err)
	}
	if folder := m.media().Destination().Folder; folder != "" {
		if err := checkFillable(folder); err != nil {
			return refused(MediaSubject, err)
		}
	}
	detail, err := m.media().Inspect(ctx, filepath.Dir(m.Folder), mover)
	if err != nil {
		return refused(MediaSubject, err)
	}
	return Finding{Subject: MediaSubject, Detail: detail}
}
