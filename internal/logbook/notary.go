package logbook

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
)

// notary signs for one step of the sequencer.
type notary struct {
	book *Book
	ctx  context.Context //nolint:containedctx // lives for one call of Sequence
	keys []audit.Key     // asked for once a step
}

// Confirm implements store.Notary.
func (n *notary) Confirm(tree *audit.Tree, note []byte) error {
	if err := n.askForKeys(); err != nil {
		return err
	}
	return tree.Confirm(note, n.book.origin, n.keys)
}

// Sign implements store.Notary. When the key has been rotated since its public half was read, the
// signature is refused and the next step reads it again.
func (n *notary) Sign(tree *audit.Tree) ([]byte, error) {
	if err := n.askForKeys(); err != nil {
		return nil, err
	}
	return audit.SignCheckpoint(n.ctx, tree.Checkpoint(n.book.origin), n.keys[len(n.keys)-1], func(ctx context.Context, message []byte) ([]byte, error) {
		signature, _, err := n.book.signer.Sign(ctx, message)
		return signature, err
	})
}

func (n *notary) askForKeys() (err error) {
	if n.keys == nil {
		n.keys, err = n.book.Keys(n.ctx)
	}
	return err
}
