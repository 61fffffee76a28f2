package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"holdfast/instance/gotosocial"
	"holdfast/internal/units"
	"holdfast/manifest"
)

// checkedMedia is the number of media in the sample of a check.
const checkedMedia = 200

// Check compares the rebuilt instance with the snapshot: the number of local accounts,
// the key pair of each account, and a sample of the media. Check starts no server.
func (m *Machine) Check(ctx context.Context) (notes []string, err error) {
	if !m.Has(manifest.Database) {
		return nil, nil
	}
	err = m.rebuilt(ctx, func(t gotosocial.Tables) error {
		accounts, err := m.checkAccounts(ctx, t)
		if err != nil {
			return err
		}
		media, err := m.checkMedia(ctx, t)
		notes = []string{accounts, media}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return notes, nil
}

func (m *Machine) checkAccounts(ctx context.Context, t gotosocial.Tables) (note string, err error) {
	var n int64
	const local = "SELECT username, private_key, public_key FROM accounts WHERE domain IS NULL ORDER BY id"
	err = t.Each(ctx, local, nil, func(values []*string) error {
		name := gotosocial.Text(values[0])
		if err := gotosocial.CheckKeyPair(gotosocial.Text(values[1]), gotosocial.Text(values[2])); err != nil {
			return gotosocial.Damaged(fmt.Sprintf("account %s: %v", name, err))
		}
		if name != m.Domain {
			n++
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if m.Facts.Accounts != 0 && n != m.Facts.Accounts {
		return "", gotosocial.Damaged(fmt.Sprintf("%d local accounts, the snapshot has %d", n, m.Facts.Accounts))
	}
	accounts := units.Count(n, "local account")
	return fmt.Sprintf("keys: the key pairs of %s match, and so does the instance's own", accounts), nil
}

// checkMedia looks for a random sample of the media in the database.
func (m *Machine) checkMedia(ctx context.Context, t gotosocial.Tables) (string, error) {
	var sample []string
	n := 0
	err := t.Each(ctx, gotosocial.LocalMedia, nil, func(values []*string) error {
		n++
		if len(sample) < checkedMedia {
			sample = append(sample, *values[0])
		} else if i := rand.IntN(n); i < checkedMedia {
			sample[i] = *values[0]
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	missing, target := 0, m.media()
	for _, key := range sample {
		if err := target.Find(ctx, key); errors.Is(err, fs.ErrNotExist) {
			missing++
		} else if err != nil {
			return "", fmt.Errorf("check media: %w", err)
		}
	}
	note := fmt.Sprintf("media: looked for %d of %d, ", len(sample), n)
	if missing == 0 {
		return note + "and found all", nil
	}
	if !m.Has(manifest.Media) {
		return note + fmt.Sprintf("%d are missing in %s", missing, m.media().Destination().Name), nil
	}
	return note + fmt.Sprintf("%d are missing: the snapshot lacks these files", missing), nil
}

// rebuilt opens the database before any server does.
func (m *Machine) rebuilt(ctx context.Context, use func(gotosocial.Tables) error) error {
	target, err := m.database()
	if err != nil {
		return err
	}
	t, err := target.Tables(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	return use(t)
}
