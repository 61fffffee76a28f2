package vault

import (
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// settle brings the index to what the remote's LIST shows.
func (b *backup) settle() error {
	packs, err := b.idx.Packs()
	if err != nil {
		return err
	}
	spooled := spooledPacks(b.cfg.State)
	var gone []uint32
	for _, p := range packs {
		o, there := b.repo.objects[p.Object()]
		whole := there && o.Size == p.Size
		_, named := b.repo.named[p.Name]
		switch {
		case whole && named && p.State != index.Committed:
			// Its record arrived, and the run died before it heard so.
			err = b.idx.SetState(p.Number, index.Committed)
		case whole && p.State == index.Pending:
			err = b.idx.SetState(p.Number, index.Stored)
		case p.State == index.Committed && !named:
			// Every record that named it was retired: it may be deleted.
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
	for name, size := range b.repo.named {
		if b.repo.objects[manifest.Pack{Name: name}.Object()].Size != size {
			lost++
		}
	}
	if lost > 0 {
		b.damage("holdfast verify names the packs and the snapshots that they hurt: copy them back from a mirror",
			"packs of earlier snapshots that are gone from the remote or have another size: %d; what this backup needs of them is stored again", lost)
	}
	return b.idx.Drop(gone)
}
