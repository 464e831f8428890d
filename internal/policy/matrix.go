package policy

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Attributes lists, sorted, what the matrix of a revision lets the purpose use in some mode. What is
// released is for the decision to say.
func (e *Engine) Attributes(id privacy.RevisionID, purpose privacy.PurposeName) []privacy.AttributeName {
	ready, err := e.revision(id)
	if err != nil {
		return nil
	}
	var names []privacy.AttributeName
	for name, modes := range ready.tables.matrix {
		if mode, listed := modes[purpose]; listed && mode != privacy.ModeDeny {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Recipients lists the clients that are granted the purpose, in the order of their names.
func (e *Engine) Recipients(id privacy.RevisionID, purpose privacy.PurposeName) []Client {
	ready, err := e.revision(id)
	if err != nil {
		return nil
	}
	var names []privacy.ClientID
	for name, purposes := range ready.tables.granted {
		if slices.Contains(purposes, purpose) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	clients := make([]Client, len(names))
	for i, name := range names {
		clients[i] = ready.tables.clients[name]
	}
	return clients
}

// Mode gives the mode that the matrix of a revision has for an attribute and a purpose, the strongest that a decision can give; [privacy.ModeDeny]
// when it has none.
func (e *Engine) Mode(id privacy.RevisionID, purpose privacy.PurposeName, name privacy.AttributeName) privacy.Mode {
	ready, err := e.revision(id)
	if err != nil {
		return privacy.ModeDeny
	}
	if mode, listed := ready.tables.matrix[name][purpose]; listed {
		return mode
	}
	return privacy.ModeDeny
}
