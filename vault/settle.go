package vault

import (
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// settle brings the index to the state of the remote's LIST.
func (u *upkeep) settle() error {
	packs, err := u.idx.Packs()
	if err != nil {
		return err
	}
	spooled := spooledPacks(u.state)
	var gone []uint32
	for _, p := range packs {
		whole := u.repo.objects.has(p.Object(), p.Size)
		_, named := u.repo.named[p.Name]
		switch {
		case whole && named && p.State != index.Committed:
			// The run that put the record died before the reply.
			err = u.idx.SetState(p.Number, index.Committed)
		case whole && p.State == index.Pending:
			err = u.idx.SetState(p.Number, index.Stored)
		case p.State == index.Committed && !named:
			// Every record of the pack was retired: anybody may delete the
			// pack.
			gone = append(gone, p.Number)
		case whole, p.State == index.Pending && spooled[p.Name] == p.Size:
		default:
			gone = append(gone, p.Number)
		}
		if err != nil {
			return err
		}
	}
	lost := 0
	for name, size := range u.repo.named {
		if !u.repo.objects.has(manifest.Pack{Name: name}.Object(), size) {
			lost++
		}
	}
	if lost > 0 {
		u.report.addDamage("holdfast verify names the packs and the affected snapshots: "+
			"copy the packs back from a mirror",
			"packs of earlier snapshots that are gone from the remote or have another size: %d; "+
				"this backup stores again the bytes that it needs of them", lost)
	}
	return u.idx.Drop(gone)
}
