package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// checkedMedia is how many media a check looks for.
const checkedMedia = 200

// Check looks whether the rebuilt instance is what the snapshot said: its local
// accounts, that each one's keys belong together, and a sample of the media. It
// starts no server.
func (m *Machine) Check(ctx context.Context) (notes []string, err error) {
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
	err = t.Each(ctx, "SELECT username, private_key, public_key FROM accounts WHERE domain IS NULL ORDER BY id", nil, func(values []*string) error {
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
	return fmt.Sprintf("keys: those of %s belong together, and the instance's own", remedy.Plural(int(n), "local account")), nil
}

// checkMedia looks for media that rows name, chosen at random.
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
	missing, place := 0, m.media()
	for _, key := range sample {
		if err := place.Find(ctx, key); errors.Is(err, fs.ErrNotExist) {
			missing++
		} else if err != nil {
			return "", fmt.Errorf("check media: %w", err)
		}
	}
	note := fmt.Sprintf("media: %d of %d looked for, ", len(sample), n)
	if missing == 0 {
		return note + "all are there", nil
	}
	return note + fmt.Sprintf("%d are not there: the snapshot is without them", missing), nil
}

// rebuilt opens the database, which no server uses yet.
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
